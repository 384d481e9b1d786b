"""Memory that evaluations share: several run at once only while their limits fit in it together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lc_node.chain.types import ByteCount


class MemoryShare:
    """Lends memory in the order in which it was asked for.

    Who asks for more than there is at all gets it alone: a duty must be done, however large.
    """

    def __init__(self) -> None:
        """Lend to one at a time, until ``limit`` is set."""
        self.limit = ByteCount(0)
        self._lent = 0
        self._turn = asyncio.Lock()
        self._returned = asyncio.Event()

    @asynccontextmanager
    async def lend(self, need: ByteCount) -> AsyncIterator[None]:
        """Wait until ``need`` fits beside what is lent already, and keep it while the body runs."""
        async with self._turn:
            while self._lent and self._lent + need > self.limit:
                self._returned.clear()
                await self._returned.wait()
            self._lent += need
        try:
            yield
        finally:
            self._lent -= need
            self._returned.set()
