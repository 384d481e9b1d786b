"""Who answers what peers ask: each topic has one answerer, which the composition root names."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from lc_node.chain.types import PublicKey
from lc_node.wire.topics import Topic

Answerer: TypeAlias = Callable[[PublicKey, bytes], Awaitable[bytes | None]]
"""Takes who asks and the question; returns the answer, None if there is none."""

_TOPICS: Final = frozenset(Topic)


class Answers:
    """Hands each question to whoever answers its topic."""

    def __init__(self, answerers: Mapping[Topic, Answerer]) -> None:
        """Answer these topics."""
        self._answerers = dict(answerers)

    async def answer(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        """Return the answer, None if there is none or nobody knows of the topic."""
        answerer = self._answerers.get(Topic(topic)) if topic in _TOPICS else None
        return None if answerer is None else await answerer(peer, payload)
