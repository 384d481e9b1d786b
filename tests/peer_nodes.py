"""Nodes for tests of everything about peers: real keys, real sockets on the loopback, real files."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.zmq_sockets import TransportKeys, generate_transport_keys
from lc_node.adapters.zmq_transport import TransportSettings, ZmqTransport
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount, ChainId, Digest, Height, PublicKey, Signature
from lc_node.ports.clock import Clock
from lc_node.ports.transport import PeerAddress
from lc_node.runtime.blob_allowance import UNLIMITED
from lc_node.runtime.network import Network, Verdict
from lc_node.wire.session import Admits, admits_everyone

CHAIN = ChainId(sha256(b"a chain"))
OTHER_CHAIN = ChainId(sha256(b"another chain"))
PATIENCE_SECONDS = 60
STORE_BYTES = ByteCount(2**30)


class SeededSigner:
    """A node key made from a number, so that tests can order keys."""

    def __init__(self, seed: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big"))

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> Signature:
        return Signature(self._key.sign(message))


@dataclass
class Who:
    """A node's keys, which outlive its process."""

    signer: SeededSigner
    keys: TransportKeys = field(default_factory=generate_transport_keys)

    @property
    def key(self) -> PublicKey:
        return self.signer.public_key

    def at(self, port: int) -> PeerAddress:
        return PeerAddress(
            public_key=self.key, transport_key=self.keys.public, host="127.0.0.1", port=port
        )


def people(count: int) -> tuple[Who, ...]:
    """Return nodes in the order of their keys."""
    return tuple(
        sorted((Who(SeededSigner(n)) for n in range(1, count + 1)), key=lambda who: who.key)
    )


@asynccontextmanager
async def transport(
    who: Who,
    *,
    peers: Sequence[PeerAddress] = (),
    port: int | None = 0,
    chain_id: ChainId = CHAIN,
    admits: Admits = admits_everyone,
    before: Callable[[ZmqTransport], object] = lambda _made: None,
) -> AsyncIterator[ZmqTransport]:
    """Run a transport for as long as the context lasts; ``before`` sees it before it runs."""
    settings = TransportSettings(
        chain_id=chain_id,
        signer=who.signer,
        keys=who.keys,
        peers=peers,
        host="127.0.0.1",
        port=port,
        admits=admits,
    )
    made = ZmqTransport(settings, SystemClock())
    made.open()
    before(made)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(made.run())
            try:
                yield made
            finally:
                running.cancel()
    finally:
        made.close()


async def until(condition: Callable[[], bool]) -> None:
    """Return once a condition holds that other tasks bring about."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  # the condition is anything, nobody signals it
            await asyncio.sleep(0.005)


@dataclass
class Recorder:
    """Handlers that keep what they hear and answer as told."""

    verdict: Verdict = Verdict.ACCEPT
    answer: bytes | None = None
    consensus: list[tuple[PublicKey, bytes]] = field(default_factory=list)
    transactions: list[tuple[PublicKey, bytes]] = field(default_factory=list)
    requests: list[tuple[PublicKey, int, bytes]] = field(default_factory=list)
    changes: list[tuple[PublicKey, bool]] = field(default_factory=list)
    waiting: dict[Digest, bytes] = field(default_factory=dict)

    def on_consensus(self, peer: PublicKey, payload: bytes) -> Verdict:
        self.consensus.append((peer, payload))
        return self.verdict

    async def on_transaction(self, peer: PublicKey, raw: bytes) -> Verdict:
        self.transactions.append((peer, raw))
        return self.verdict

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        self.requests.append((peer, topic, payload))
        return self.answer

    def pending(self) -> tuple[Digest, ...]:
        return tuple(self.waiting)

    def transaction(self, name: Digest) -> bytes | None:
        return self.waiting.get(name)

    def on_peer(self, peer: PublicKey, *, is_up: bool) -> None:
        self.changes.append((peer, is_up))


@dataclass
class Node:
    """A network with what it stands on."""

    who: Who
    transport: ZmqTransport
    network: Network
    blobs: DirectoryBlobStore
    heard: Recorder

    @property
    def address(self) -> PeerAddress:
        return self.who.at(self.transport.port)


@asynccontextmanager
async def node(  # noqa: PLR0913 - one argument a circumstance
    who: Who,
    folder: Path,
    *,
    peers: Sequence[PeerAddress] = (),
    port: int | None = 0,
    heard: Recorder | None = None,
    chain_id: ChainId = CHAIN,
    clock: Clock | None = None,
    upload: ByteCount = UNLIMITED,
) -> AsyncIterator[Node]:
    """Run a network over a transport for as long as the context lasts."""
    heard = heard or Recorder()
    blobs = DirectoryBlobStore(folder / who.key.hex()[:8], bytes_max=STORE_BYTES)
    async with (
        transport(who, peers=peers, port=port, chain_id=chain_id) as below,
        asyncio.TaskGroup() as tasks,
    ):
        network = Network(
            me=who.key,
            transport=below,
            clock=clock or SystemClock(),
            blobs=blobs,
            height=lambda: Height(7),
            upload=upload,
        )
        running = tasks.create_task(network.run(heard))
        try:
            yield Node(who, below, network, blobs, heard)
        finally:
            running.cancel()
