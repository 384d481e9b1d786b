"""Two nodes over real sockets on the loopback: one that serves, and one that asks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.keystore import FileKeystore
from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.zmq_sockets import transport_keys_of
from lc_node.adapters.zmq_transport import TransportSettings, ZmqTransport
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount, ChainId, Digest, Height, PublicKey
from lc_node.ports.stores import BlobStore
from lc_node.ports.transport import PeerAddress, TransportKey
from lc_node.runtime.answers import Answers
from lc_node.runtime.network import Network, Verdict

CHAIN: Final = ChainId(sha256(b"bench"))
_HOST: Final = "127.0.0.1"


class _Serving:
    """Answers questions, and hears nothing else."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def on_consensus(self, peer: PublicKey, payload: bytes) -> Verdict:
        """Hear nothing."""
        del peer, payload
        return Verdict.IGNORE

    async def on_transaction(self, peer: PublicKey, raw: bytes) -> Verdict:
        """Hear nothing."""
        del peer, raw
        return Verdict.IGNORE

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        """Answer."""
        return await self._answers.answer(peer, topic, payload)

    def transaction(self, message: Digest) -> bytes | None:
        """Have none."""
        del message
        return None

    def pending(self) -> tuple[Digest, ...]:
        """Have none."""
        return ()

    def on_peer(self, peer: PublicKey, *, is_up: bool) -> None:
        """Hear nothing."""


@asynccontextmanager
async def two_nodes(
    folder: Path, answers: Answers, heights: tuple[Callable[[], Height], Callable[[], Height]]
) -> AsyncIterator[Network]:
    """Yield the asking node's network, connected to one that answers."""
    server, asker = (FileKeystore(sha256(name)) for name in (b"server", b"asker"))
    stores = (
        DirectoryBlobStore(folder / name, bytes_max=ByteCount(2**20))
        for name in ("server", "asker")
    )
    async with (
        running_node(server, next(stores), answers, heights[0]) as (_, port),
        running_node(asker, next(stores), Answers({}), heights[1], [_address(server, port)]) as (
            network,
            _,
        ),
    ):
        while not network.connected:  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.005)
        yield network


@asynccontextmanager
async def running_node(
    who: FileKeystore,
    blobs: BlobStore,
    answers: Answers,
    height: Callable[[], Height],
    peers: Sequence[PeerAddress] = (),
) -> AsyncIterator[tuple[Network, int]]:
    """Run the part of a node that talks with peers; yield it and its port."""
    transport = ZmqTransport(_settings(who, peers), SystemClock())
    transport.open()
    network = Network(
        me=who.public_key,
        transport=transport,
        clock=SystemClock(),
        blobs=blobs,
        height=height,
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = (
                group.create_task(transport.run()),
                group.create_task(network.run(_Serving(answers))),
            )
            yield network, transport.port
            for task in tasks:
                task.cancel()
    finally:
        transport.close()


def _address(who: FileKeystore, port: int) -> PeerAddress:
    key = TransportKey(who.transport_public)
    return PeerAddress(public_key=who.public_key, transport_key=key, host=_HOST, port=port)


def _settings(who: FileKeystore, peers: Sequence[PeerAddress]) -> TransportSettings:
    return TransportSettings(
        chain_id=CHAIN,
        signer=who,
        keys=transport_keys_of(who.transport_secret),
        peers=peers,
        host=_HOST,
        port=0,
    )
