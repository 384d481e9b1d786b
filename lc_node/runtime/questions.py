"""Questions to peers and the answers that belong to them."""

import asyncio
from collections.abc import Callable
from typing import Final

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import MillisSpan, PublicKey
from lc_node.wire.messages import Message, Request, Response

_NUMBERS: Final = 2**32


class PeerSilent(LearningChainError):
    """A peer is not connected, or did not answer in time; ask another."""

    def __init__(self, peer: PublicKey) -> None:
        """Name the peer."""
        super().__init__(f"peer {peer.hex()} does not answer")
        self.peer = peer


class Questions:
    """Numbers each question and hands its answer to who asked."""

    def __init__(self, tell: Callable[[PublicKey, Message], bool]) -> None:
        """Send questions by ``tell``."""
        self._tell = tell
        self._next = 0
        self._open: dict[tuple[PublicKey, int], asyncio.Future[Response]] = {}

    async def ask(
        self, to: PublicKey, topic: int, payload: bytes, within: MillisSpan
    ) -> bytes | None:
        """Return the peer's answer, None if it has none.

        Raises:
            PeerSilent: there is no answer within the span.
        """
        number = self._next
        self._next = (self._next + 1) % _NUMBERS
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._open[to, number] = answer
        try:
            if not self._tell(to, Request(number=number, topic=topic, payload=payload)):
                raise PeerSilent(to)
            async with asyncio.timeout(within / 1_000):
                response = await answer
        except TimeoutError:
            raise PeerSilent(to) from None
        finally:
            del self._open[to, number]
        return response.payload if response.found else None

    def answered(self, peer: PublicKey, response: Response) -> bool:
        """Take an answer; return False if nothing of this number was ever asked."""
        answer = self._open.get((peer, response.number))
        if answer is not None and not answer.done():
            answer.set_result(response)
        return response.number < self._next

    def left(self, peer: PublicKey) -> None:
        """A peer is gone: whoever waits for it need not wait longer."""
        for (asked, _number), answer in self._open.items():
            if asked == peer and not answer.done():
                answer.set_exception(PeerSilent(peer))
