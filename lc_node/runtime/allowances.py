"""How much each peer may still be told: a full answer costs us more than a question costs it."""

from collections.abc import Callable
from typing import Final

from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import PublicKey
from lc_node.ports.clock import Clock
from lc_node.runtime.answers import Answerer
from lc_node.wire.rate import Bucket

REMEMBERED_MAX: Final = 1_024
"""Peers whose allowance is remembered; whoever asked longest ago is forgotten first."""


class Allowances:
    """A number of units in a window for each peer."""

    def __init__(self, per_window: int, clock: Clock) -> None:
        """Allow each peer ``per_window``."""
        self._per_window = per_window
        self._clock = clock
        self._buckets: dict[PublicKey, Bucket] = {}

    def of(self, peer: PublicKey) -> Bucket:
        """Return a peer's allowance as it is now."""
        now = self._clock.now()
        allowance = self._buckets.pop(peer, None) or Bucket(self._per_window, now)
        self._buckets[peer] = allowance  # last in the order: used most recently
        if len(self._buckets) > REMEMBERED_MAX:
            del self._buckets[next(iter(self._buckets))]
        allowance.refill(now)
        return allowance

    def bounded(self, answer: Callable[[bytes], bytes | None], *, longest: int) -> Answerer:
        """Let a peer ask while it could still be told the longest answer; what is no question has none.

        An answer that turns out to be too long to be sent counts as well: it was as much work.
        """

        async def answerer(peer: PublicKey, question: bytes) -> bytes | None:
            """Return the answer, if the peer may have it."""
            allowance = self.of(peer)
            if not allowance.has(longest):
                return None
            try:
                said = answer(question) or b""
            except MalformedBytes:
                return None
            allowance.take(len(said))
            return said if 0 < len(said) <= longest else None

        return answerer
