"""How fast blobs go out, all peers together: the owner's line is not all for others."""

import asyncio
from typing import Final

from lc_node.chain.types import ByteCount, Millis
from lc_node.ports.clock import Clock
from lc_node.wire.limits import WINDOW
from lc_node.wire.rate import Bucket

UNLIMITED: Final = ByteCount(0)
_LOOK_MS: Final = 50


class Allowance:
    """So many bytes a second on the average, and those of ten seconds at once after a rest."""

    def __init__(self, clock: Clock, bytes_per_second: ByteCount) -> None:
        """Start with a whole window's bytes; UNLIMITED is no limit."""
        self._clock = clock
        self._window_bytes = bytes_per_second * WINDOW // 1_000
        self._bucket: Final = Bucket(self._window_bytes, clock.now())
        self._turn: Final = asyncio.Lock()

    async def spend(self, size: ByteCount) -> None:
        """Return once so many bytes may go out; who comes first goes first."""
        if not self._window_bytes:
            return
        wanted = min(size, self._window_bytes)
        async with self._turn:
            while True:
                now = self._clock.now()
                self._bucket.refill(now)
                if self._bucket.has(wanted):
                    break
                await self._clock.sleep_until(Millis(now + _LOOK_MS))
            self._bucket.take(wanted)
