"""How much each peer may still be told: a full answer costs us more than a question costs it."""

from typing import Final

from lc_node.chain.types import PublicKey
from lc_node.ports.clock import Clock
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
