"""Questions whose answers carry their proof: asked of one peer, read strictly, and blamed if false."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.errors import LearningChainError, MalformedBytes
from lc_node.chain.types import PublicKey
from lc_node.wire.score import Offence
from lc_node.wire.topics import Topic

T = TypeVar("T")


class FalseAnswer(LearningChainError):
    """A peer's answer is not what was asked for; it has been blamed for it."""

    def __init__(self, peer: PublicKey) -> None:
        """Name the peer."""
        super().__init__(f"peer {peer.hex()} gave a false answer; ask another")
        self.peer = peer


class Peers(Protocol):
    """Whoever carries questions (``runtime.network.Network``)."""

    async def request(self, to: PublicKey, topic: int, payload: bytes) -> bytes | None:
        """Ask a peer; return its answer, None if it has none.

        Raises:
            PeerSilent: it is not connected, or did not answer in time.
        """
        ...

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        """Count an offence of a peer."""
        ...


class Inquirer:
    """Asks peers on behalf of who fetches something."""

    def __init__(self, peers: Peers) -> None:
        """Ask these."""
        self._peers = peers

    async def ask(
        self, peer: PublicKey, topic: Topic, question: Record, decoder: Decoder[T]
    ) -> T | None:
        """Return a peer's answer, None if it has none.

        Raises:
            PeerSilent: there is no answer.
            FalseAnswer: there is one that cannot be read.
        """
        payload = await self._peers.request(peer, topic, encode(question))
        if payload is None:
            return None
        try:
            return decoder.decode(payload)
        except MalformedBytes:
            raise self.blame(peer) from None

    def blame(self, peer: PublicKey) -> FalseAnswer:
        """Count a false answer against a peer, and return the error to raise."""
        self._peers.offend(peer, Offence.FALSE_ANSWER)
        return FalseAnswer(peer)


async def in_thread(work: Callable[[], T]) -> T:
    """Return what slow work gives that runs in a thread; whoever is cancelled waits for its end.

    What it works on may be closed afterwards.
    """
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def share_out(
    peers: Sequence[PublicKey],
    work: Callable[[PublicKey], Awaitable[None]],
    is_done: Callable[[], bool],
) -> None:
    """Let one worker a peer run until everything is done, or all of them have ended."""
    tasks: list[asyncio.Task[None]] = []

    async def one(peer: PublicKey) -> None:
        """Work, and end the others if there is nothing left to do."""
        await work(peer)
        if is_done():
            for task in tasks:
                if task is not asyncio.current_task():
                    task.cancel()

    async with asyncio.TaskGroup() as group:
        tasks += [group.create_task(one(peer)) for peer in peers]
