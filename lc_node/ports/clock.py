"""Time, as the node sees it."""

from typing import Protocol

from lc_node.chain.types import Millis


class Clock(Protocol):
    """Wall-clock time; the simulator's clock is virtual."""

    def now(self) -> Millis:
        """Return milliseconds since the Unix epoch."""
        ...

    async def sleep_until(self, at: Millis) -> None:
        """Return once ``now()`` has reached ``at``."""
        ...
