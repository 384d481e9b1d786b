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
        """Credit the time that has passed; a clock that is set back credits nothing, and goes on from there."""
        elapsed = max(0, now - self._at)
        self._level = min(self._per_window * WINDOW, self._level + elapsed * self._per_window)
        self._at = now

    def has(self, units: int) -> bool:
        """Return whether ``units`` may pass."""
        return self._level >= units * WINDOW

    def take(self, units: int) -> None:
        """Let ``units`` pass."""
        self._level -= units * WINDOW


class Pace:
    """The messages and bytes of one kind that may pass between two peers."""

    def __init__(self, kind: Kind, now: Millis, *, percent: int = 100) -> None:
        """Start with the whole allowance, or with a part of it."""
        limit = LIMITS[kind]
        self._messages = Bucket(limit.messages * percent // 100, now)
        self._bytes = Bucket(limit.bytes * percent // 100, now)

    def admits(self, size: ByteCount, now: Millis, *, messages: int = 1) -> bool:
        """Count messages of ``size`` bytes together and return True, or return False and count nothing."""
        self._messages.refill(now)
        self._bytes.refill(now)
        if not (self._messages.has(messages) and self._bytes.has(size)):
            return False
        self._messages.take(messages)
        self._bytes.take(size)
        return True


class RateLimiter:
    """What one peer may send, kind by kind."""

    def __init__(self, now: Millis) -> None:
        """Start with every allowance whole."""
        self._paces = {kind: Pace(kind, now) for kind in LIMITS}

    def admits(self, kind: Kind, size: ByteCount, now: Millis, *, messages: int = 1) -> bool:
        """Count messages of ``size`` bytes together and return True, or return False and count nothing."""
        return self._paces[kind].admits(size, now, messages=messages)
