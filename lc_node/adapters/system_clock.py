"""The machine's wall clock."""

import asyncio
import time
from typing import Final

from lc_node.chain.types import Millis

_NAP_MAX_SECONDS: Final = 1.0  # a wall clock may be set while we sleep: look again now and then


class SystemClock:
    """Time as the operating system tells it; it may jump when somebody sets it."""

    def now(self) -> Millis:
        """Return milliseconds since the Unix epoch."""
        return Millis(time.time_ns() // 1_000_000)

    async def sleep_until(self, at: Millis) -> None:
        """Return once ``now()`` has reached ``at``, however the clock was set meanwhile."""
        while (left := at - self.now()) > 0:  # noqa: ASYNC110  # nobody signals time
            await asyncio.sleep(min(left / 1000, _NAP_MAX_SECONDS))
