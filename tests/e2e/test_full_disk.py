"""A node whose disk is full says so and stops; with room again it goes on, and has kept its word."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import pytest

from lc_node.api.calls import Transfer
from lc_node.api.client import ApiError
from lc_node.api.schema import Address, MicroCredits
from lc_node.chain.params import CREDIT
from lc_node.cli.exits import Exit
from lc_node.runtime.devnet import Devnet, Role, log_of, prepare
from tests.e2e.graphs import account_of, patient_client, short_folder
from tests.e2e.small_disk import SmallDisk, mounted

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk"),
]

TRANSFERS_MAX: Final = 500
STOP_SECONDS_MAX: Final = 60.0
ROLES: Final = (Role(name="small", bonded=100, votes=True), Role(name="large"))
"""The one that votes lives on a small disk: without it no block becomes final."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """How a node ended on a full disk."""

    promised: int
    """How many transfers of one credit it had answered as final."""
    code: int
    log: str


class FullDisk:
    """A devnet, one of whose nodes has a disk of its own, which can be filled and emptied."""

    def __init__(self, devnet: Devnet, disk: SmallDisk) -> None:
        self.devnet = devnet
        self.disk = disk
        self.answered = 0
        """Credits whose transfer was final."""

    def wait_stopped(self) -> int:
        """Wait until the small node has ended by itself, and return its exit code."""
        code = self.devnet._processes["small"].wait(STOP_SECONDS_MAX)
        self.devnet.kill("small")  # lets go of what is left of it
        return code

    def give(self, credit: int) -> None:
        """Transfer credits from the small node to the large one; returns when that is final."""
        with self.devnet.client("small") as client:
            to = Address(self.devnet.place("large").identity.address)
            amount = MicroCredits(credit * CREDIT)
            client.call(Transfer(to=to, amount=amount), timeout_seconds=30)
        self.answered += credit

    def given(self, witness: str) -> int:
        """Return how many credits the large node has been given, as a node's chain has it."""
        with patient_client(self.devnet, witness) as client:
            balance = account_of(client, self.devnet, "large").balance
        return balance // CREDIT - ROLES[1].balance


@pytest.fixture(scope="module")
def full() -> Iterator[FullDisk]:
    """Two nodes, the one with the vote on a small disk, its log on another one."""
    with short_folder() as folder, mounted(folder / "small") as disk:
        devnet = Devnet(prepare(folder, ROLES))
        log_of(devnet.place("small")).symlink_to(folder / "small.log")
        try:
            devnet.start_all()
            devnet.wait_ready()
            yield FullDisk(devnet, disk)
        finally:
            devnet.stop()


@pytest.fixture(scope="module")
def stopped(full: FullDisk) -> Stopped:
    """What happened when the disk was full."""
    full.disk.fill()
    promised = 0
    with suppress(ApiError):
        while promised < TRANSFERS_MAX:
            full.give(1)
            promised += 1
    return Stopped(
        promised=promised,
        code=full.wait_stopped(),
        log=log_of(full.devnet.place("small")).read_text(),
    )


@pytest.fixture(scope="module")
def mended(full: FullDisk, stopped: Stopped) -> FullDisk:
    """The same graph after room was made and the node was started again."""
    assert stopped.code
    full.disk.make_room()
    full.devnet.start("small")
    full.devnet.wait_ready()
    full.give(1)  # by then the transfer that was not answered is final or void
    return full


def test_a_full_disk_stops_the_node_with_the_remedy(stopped: Stopped) -> None:
    assert stopped.promised < TRANSFERS_MAX
    assert stopped.code == Exit.REFUSED
    assert "No space left to write" in stopped.log


def test_nothing_promised_is_lost_once_there_is_room(mended: FullDisk, stopped: Stopped) -> None:
    # The last one before, which was not answered, may have become final all the same.
    assert mended.given(witness="small") >= mended.answered >= stopped.promised


def test_the_graph_goes_on_once_there_is_room(mended: FullDisk) -> None:
    before = mended.given(witness="small")

    mended.give(1)

    assert mended.given(witness="small") == before + 1
