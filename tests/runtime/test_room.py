"""A running node says that it is there, and points discovery to neighbours of its own chain and to its line."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.chain.genesis import chain_id
from lc_node.chain.types import PublicKey
from lc_node.ports.transport import PeerAddress, TransportKey
from lc_node.runtime.hints import Origin
from lc_node.runtime.inviting import join_line
from lc_node.runtime.room import Room
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.join_line import Bootstrap, JoinLine
from tests.peer_nodes import OTHER_CHAIN, until
from tests.runtime.rooms import FakeRoom, newcomer, presence_of
from tests.runtime.test_joining import document

pytestmark = pytest.mark.slow


@dataclass
class Pointed:
    """Implements ``runtime.room.PointedTo``."""

    hints: list[tuple[PublicKey, Origin]] = field(default_factory=list)

    def hint(self, address: PeerAddress, origin: Origin) -> None:
        self.hints.append((address.public_key, origin))


@asynccontextmanager
async def living(
    folder: Path, air: FakeRoom, *, line: JoinLine | None = None, port: int = 4040
) -> AsyncIterator[Pointed]:
    """Run the room of a node whose graph is ``lab``."""
    me, pointed = newcomer(folder, 1), Pointed()
    room = Room(
        me.keystore,
        document(me),
        replace(me.config.network, multicast=False),
        line,
        pointed,
        port=port,
        neighbours=air.place(me.keystore.public_key),
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(room.run())
        try:
            yield pointed
        finally:
            running.cancel()


async def test_neighbours_of_the_same_chain_are_pointed_to_and_others_are_not(
    tmp_path: Path,
) -> None:
    air = FakeRoom()
    async with living(tmp_path, air) as pointed:
        await until(lambda: len(air.said) == 1)
        ((own, said),) = air.said.items()
        bob, eve = newcomer(tmp_path, 2), newcomer(tmp_path, 3)
        for who, chain in ((eve, OTHER_CHAIN), (bob, said.chain_id)):
            air.place(who.keystore.public_key).announce(
                presence_of(who, graph="lab", chain_id=chain, port=4041)
            )
        assert said.key == own
        air.tell()
        await until(lambda: bool(pointed.hints))

    assert pointed.hints == [(bob.keystore.public_key, Origin.MULTICAST)]


async def test_a_node_that_only_dials_out_says_nothing(tmp_path: Path) -> None:
    air = FakeRoom()
    async with living(tmp_path, air, port=0):
        await asyncio.sleep(0)

    assert air.said == {}


async def test_the_nodes_of_the_line_are_pointed_to(tmp_path: Path) -> None:
    ann = newcomer(tmp_path, 2)
    bootstrap = Bootstrap(
        key=ann.keystore.public_key,
        transport_key=TransportKey(ann.keystore.transport_public),
        endpoints=(Endpoint(host=Host("192.0.2.7"), port=Port(4040)),),
    )
    genesis = document(ann)
    line = join_line(genesis, [bootstrap], None)
    async with living(tmp_path, FakeRoom(), line=line) as pointed:
        await until(lambda: bool(pointed.hints))

    assert line.chain_id == chain_id(genesis)
    assert pointed.hints == [(ann.keystore.public_key, Origin.SEED)]
