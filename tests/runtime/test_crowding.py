"""Liars that are many, and say that they are very far ahead, do not keep a newcomer from the others."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.signed_chain import SignedChain
from lc_node.chain.types import Height, PublicKey
from lc_node.runtime.catch_up import CatchUp, Surroundings, Terms
from lc_node.runtime.questions import PeerSilent
from lc_node.wire.score import Offence
from tests.peer_nodes import until
from tests.runtime.sync_stage import Newcomer


@dataclass(frozen=True)
class Told:
    """What a peer says of itself."""

    peer: PublicKey
    height: Height | None
    is_up: bool = True


HONEST = PublicKey(b"\xff" * 32)
LIARS = [PublicKey(bytes([number]) * 32) for number in range(1, 40)]


@dataclass
class Crowd:
    """Many peers, none of whom answers."""

    asked: list[PublicKey] = field(default_factory=list)

    def peers(self) -> list[Told]:
        liars = [Told(liar, Height(2**40)) for liar in LIARS]
        return [*liars, Told(HONEST, Height(2_000)), Told(PublicKey(bytes(32)), None)]

    async def request(self, to: PublicKey, topic: int, payload: bytes) -> bytes | None:
        del topic, payload
        self.asked.append(to)
        await asyncio.sleep(0)
        raise PeerSilent(to)

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        raise AssertionError((peer, offence))


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[Newcomer]:
    chain = SignedChain(tmp_path / "chain.db", links=4)
    made = Newcomer(tmp_path / "newcomer", chain.genesis, chain)
    yield made
    made.close()
    chain.store.close()


async def test_everybody_is_asked_in_turn_whatever_height_is_claimed(newcomer: Newcomer) -> None:
    crowd = Crowd()
    surroundings = Surroundings(
        ledger=newcomer.ledger,
        network=crowd,
        agreement=newcomer,
        go_on=lambda: None,
        on_adopted=lambda: None,
        votes=newcomer.votes,
        store=newcomer.snapshot,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(CatchUp(surroundings, Terms(again_seconds=0)).run())
        await until(lambda: set(crowd.asked) == {*LIARS, HONEST})
        task.cancel()

    assert newcomer.paused == 0
