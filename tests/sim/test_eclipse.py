"""An attacker with many keys in few networks does not surround a node; one with a careless book is surrounded."""

from collections.abc import Callable

import pytest

from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.sim.eclipse import Outcome, Siege, besiege
from lc_node.wire import outbound
from lc_node.wire.address_book import AddressBook
from lc_node.wire.endpoints import Group, Host
from lc_node.wire.known import Draw, Known
from lc_node.wire.outbound import OUTBOUND_WANTED
from lc_node.wire.records import SignedRecord

pytestmark = pytest.mark.slow

SEEDS = range(1, 11)
SIEGE = Siege(attackers_networks=8, attackers_keys=2_000, invented=1_000, hours=12)
CAPTURED_MAX = OUTBOUND_WANTED / 2
"""On average over the seeds the attacker gets fewer than half of the connections, and nobody is eclipsed."""


class CarelessBook(AddressBook):
    """A book that takes every record, lets the oldest go when it is full, and draws from all alike."""

    room = 500

    def add(self, signed: SignedRecord, teller: Host, now: Millis) -> bool:
        endpoints, key = signed.record.endpoints, signed.record.node_key
        self._known[key] = Known(
            signed=signed, endpoints=endpoints, host=endpoints[0].host, source=Group(b"")
        )
        if len(self._known) > self.room:
            del self._known[next(iter(self._known))]
        return True

    def good(self, key: PublicKey, host: Host, now: Millis) -> None:
        known = self._known.get(key)
        if known is not None:
            self._known[key] = known.after_success(host, now)

    def choose(self, draw: Draw, now: Millis, *, is_tried: bool) -> Known | None:
        known = tuple(self._known.values())
        return known[draw(len(known))]


def outcomes(
    siege: Siege, make_book: Callable[[Digest], AddressBook] = AddressBook
) -> list[Outcome]:
    return [besiege(siege, seed, make_book) for seed in SEEDS]


def holds(found: list[Outcome]) -> bool:
    captured = sum(one.captured for one in found) / len(found)
    return captured < CAPTURED_MAX and not any(one.is_eclipsed for one in found)


def test_a_siege_with_a_seed_ends_the_same_way_each_time() -> None:
    assert besiege(SIEGE, 5) == besiege(SIEGE, 5)


def test_few_networks_do_not_surround_a_node_however_many_keys_they_have() -> None:
    found = outcomes(SIEGE)

    assert all(one.chosen == OUTBOUND_WANTED for one in found)
    assert holds(found)


def test_a_careless_book_does_not_hold_the_same_siege() -> None:
    found = outcomes(SIEGE, CarelessBook)

    assert not holds(found)
    assert sum(one.is_eclipsed for one in found) > len(found) / 2


def test_a_careless_choice_of_networks_does_not_hold_it_either(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbound, "group_of", lambda host: host)
    siege = Siege(attackers_networks=3, attackers_keys=2_000, invented=0, known=5, hours=12)
    careless = max(one.captured for one in outcomes(siege))
    monkeypatch.undo()

    assert max(one.captured for one in outcomes(siege)) <= 3 < careless


def test_who_remembers_its_anchors_is_not_surrounded_by_many_networks() -> None:
    siege = Siege(
        attackers_networks=64,
        attackers_keys=2_000,
        invented=0,
        hours=12,
        online_percent=100,
        has_anchors=True,
    )

    assert not any(one.is_eclipsed for one in outcomes(siege))
