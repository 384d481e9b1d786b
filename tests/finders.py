"""Nodes that look for each other: real transports, networks and books; the chain is what a test says."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.zmq_transport import ZmqTransport
from lc_node.chain.crypto import sha256
from lc_node.chain.types import Height, Millis, MillisSpan, PublicKey
from lc_node.ports.transport import Connection, PeerAddress
from lc_node.runtime.book_store import HomeBookStore
from lc_node.runtime.discovery import Discovery, Neighbourhood
from lc_node.runtime.hints import Origin
from lc_node.runtime.network import Network
from lc_node.runtime.own_record import Doorway, OwnRecord
from lc_node.wire.address_book import AddressBook
from lc_node.wire.book_file import Kept
from lc_node.wire.topics import Topic
from tests.peer_nodes import CHAIN, STORE_BYTES, Recorder, Who, transport

SILENCE = MillisSpan(3_600_000)


@dataclass
class ToldChain:
    """A chain of which a test says who votes and who is banned."""

    height: int = 7
    members: frozenset[PublicKey] = frozenset()
    banned: frozenset[PublicKey] = frozenset()

    def validators(self) -> frozenset[PublicKey]:
        return self.members

    def is_banned(self, key: PublicKey) -> bool:
        return key in self.banned


@dataclass
class Answering(Recorder):
    """Handlers that let discovery answer."""

    discovery: list[Discovery] = field(default_factory=list)

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        await super().on_request(peer, topic, payload)
        answerers = self.discovery[0].answerers() if self.discovery else {}
        answerer = answerers.get(Topic(topic))
        return None if answerer is None else await answerer(peer, payload)


@dataclass
class Finder:
    """A node that looks for others."""

    who: Who
    transport: ZmqTransport
    network: Network
    discovery: Discovery
    chain: ToldChain

    @property
    def address(self) -> PeerAddress:
        return self.who.at(self.transport.port)

    @property
    def peers(self) -> set[PublicKey]:
        return set(self.transport.peers)

    def connection(self, peer: PublicKey) -> Connection | None:
        return next((one for one in self.transport.connections() if one.peer == peer), None)


@asynccontextmanager
async def finder(  # noqa: PLR0913  # one argument a circumstance
    who: Who,
    folder: Path,
    *,
    seeds: Sequence[PeerAddress] = (),
    port: int | None = 0,
    chain: ToldChain | None = None,
    silence: MillisSpan = SILENCE,
    is_wanted: bool = True,
) -> AsyncIterator[Finder]:
    """Run a node that knows ``seeds`` and whom its folder remembers."""
    chain, clock = chain or ToldChain(), SystemClock()
    home = folder / who.key.hex()[:8]
    home.mkdir(exist_ok=True)
    store = _book_store(home / "peers.bin", who)
    heard = Answering()
    async with transport(who, port=port) as below, asyncio.TaskGroup() as tasks:
        network = Network(
            me=who.key,
            transport=below,
            clock=clock,
            blobs=DirectoryBlobStore(home / "blobs", bytes_max=STORE_BYTES),
            height=lambda: Height(7),
        )
        kept = store.read()
        own = OwnRecord(
            signer=who.signer,
            chain_id=CHAIN,
            transport_key=who.keys.public,
            doorway=Doorway(host="127.0.0.1", port=below.port),
            hosts=lambda: (),
            clock=clock,
            sequence=kept.sequence,
        )
        around = Neighbourhood(
            chain_id=CHAIN,
            me=who.key,
            transport=below,
            peers=network,
            clock=clock,
            chain=chain,
            store=store,
            draw=Random(who.key).randrange,  # noqa: S311  # a test that can be repeated
            is_wanted=is_wanted,
            silence=silence,
        )
        discovery = Discovery(around, kept, own)
        heard.discovery.append(discovery)
        for seed in seeds:
            discovery.hint(seed, Origin.SEED)
        running = [tasks.create_task(network.run(heard)), tasks.create_task(discovery.run())]
        try:
            yield Finder(who, below, network, discovery, chain)
        finally:
            for task in running:
                task.cancel()


def _book_store(path: Path, who: Who) -> HomeBookStore:
    """Return where a node remembers others, by a secret that is the same in every run.

    By a drawn one two of few nodes share a place of the book now and then, which has room for one of them.
    """
    store = HomeBookStore(path, CHAIN)
    if not path.exists():
        empty = AddressBook(sha256(b"a secret of " + who.key))
        store.write(Kept(book=empty, anchors=(), sequence=Millis(0)))()
    return store
