"""Machines that know nothing but a graph's name, or one line, come to be on it and are paid for computing."""

import json
from collections.abc import Iterator
from typing import Final

import pytest

from lc_node.api.calls import GetStatus
from lc_node.api.schema import Status
from lc_node.chain.params import CREDIT
from tests.e2e.graphs import wait_until_over
from tests.e2e.light_job import BOUNTY, light_request, post_light_job
from tests.net.labs import Lab, lab
from tests.net.lan import what_is_missing

pytestmark = [
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
    pytest.mark.slow,
]

FOUNDERS: Final = tuple(f"founder-{number}" for number in range(1, 6))
SHARE: Final = 1_000 * CREDIT
GIFT: Final = 50
"""Credits for a newcomer's first bid bond."""


def runs(status: Status) -> bool:
    return status.height >= 3 and status.peers >= len(FOUNDERS) - 1


@pytest.fixture(scope="module")
def room() -> Iterator[Lab]:
    """Five machines on one switch, each of which was told the graph's name and nothing else."""
    with lab(FOUNDERS) as made:
        for name in FOUNDERS:
            made.start(made.net.hosts[name], "run", "--graph", "lab")
        made.wait_until(FOUNDERS, runs)
        yield made


def test_five_machines_find_each_other_by_multicast_and_finalise_blocks(room: Lab) -> None:
    found = room.wait_until(FOUNDERS, runs)

    assert len({one.chain_id for one in found}) == 1
    highest = max(one.height for one in found)
    room.wait_until(FOUNDERS, lambda status: status.height > highest)


def test_those_who_were_in_the_room_have_equal_shares(room: Lab) -> None:
    validators = {one.address for one in room.wait_until(FOUNDERS, runs) if one.is_validator}
    told = room.run(room.net.hosts[FOUNDERS[0]], "genesis", "show", "--json")
    document = json.loads(told)

    # Who was slow to start, on a machine that others keep busy, has come late and has nothing.
    assert len(validators) >= 2
    assert set(document["members"]) == validators
    assert {one["address"] for one in document["accounts"]} == validators
    assert {one["balance"] for one in document["accounts"]} == {SHARE}


def test_a_latecomer_follows_the_graph_of_the_room(room: Lab) -> None:
    late = room.net.add("latecomer")
    room.start(late, "run", "--graph", "lab")

    (status,) = room.wait_until(["latecomer"], lambda one: one.height >= 1 and one.peers >= 1)

    assert status.chain_id == room.wait_until(FOUNDERS[:1], runs)[0].chain_id
    assert (status.balance, status.is_validator) == (0, False)


def test_a_machine_behind_a_nat_joins_by_a_line_trains_and_is_paid(room: Lab) -> None:
    founders = [name for name in FOUNDERS if (status := room.status(name)) and status.is_validator]
    poster = room.net.hosts[founders[0]]
    inner = room.net.add_behind_nat("inner")
    for name in FOUNDERS:
        # Committees evaluate all the same; only the newcomer trains.
        room.run(room.net.hosts[name], "policy", "set", "--no-work")

    room.start(inner, "run", "--join", room.run(poster, "invite"))
    (status,) = room.wait_until(["inner"], lambda one: one.height >= 1 and one.peers >= 1)
    room.run(poster, "send", status.address, str(GIFT))
    room.wait_until(["inner"], lambda one: one.balance == GIFT * CREDIT)
    with room.client(poster.name) as client:
        job = post_light_job(client, light_request())
        story = wait_until_over(client, job)

    assert story.summary.winner == status.address
    (paid,) = room.wait_until(["inner"], lambda one: one.balance > GIFT * CREDIT)
    assert paid.balance == (GIFT + BOUNTY) * CREDIT
    with room.client("inner") as client:
        assert client.call(GetStatus()).is_validator is False
