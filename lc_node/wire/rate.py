"""Counts what a peer sends against the table of limits: token buckets in whole numbers."""

from lc_node.chain.types import ByteCount, Millis
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import LIMITS, WINDOW


class Bucket:
    """Lets ``per_window`` units through at once, and as many again evenly over each window.

    The level is kept in units times milliseconds, so that no fraction is ever lost.
    """

    def __init__(self, per_window: int, now: Millis) -> None:
        """Start full."""
        self._per_window = per_window
        self._level = per_window * WINDOW
        self._at = now

    def refill(self, now: Millis) -> None:
        """Credit the time that has passed; a clock that goes back credits nothing."""
        elapsed = max(0, now - self._at)
        self._level = min(self._per_window * WINDOW, self._level + elapsed * self._per_window)
        self._at = Millis(max(self._at, now))

    def has(self, units: int) -> bool:
        """Return whether ``units`` may pass."""
        return self._level >= units * WINDOW

    def take(self, units: int) -> None:
        """Let ``units`` pass."""
        self._level -= units * WINDOW


class RateLimiter:
    """One peer's buckets: frames and bytes of each kind."""

    def __init__(self, now: Millis) -> None:
        """Start with every allowance whole."""
        self._buckets = {
            kind: (Bucket(limit.messages, now), Bucket(limit.bytes, now))
            for kind, limit in LIMITS.items()
        }

    def admits(self, kind: Kind, size: ByteCount, now: Millis) -> bool:
        """Count a frame and return True, or return False and count nothing."""
        frames, total = self._buckets[kind]
        frames.refill(now)
        total.refill(now)
        if not (frames.has(1) and total.has(size)):
            return False
        frames.take(1)
        total.take(size)
        return True
