"""Received frames until somebody takes them, fairly between peers."""

import asyncio

from lc_node.ports.transport import Channel, Inbound
from lc_node.wire.limits import INBOX
from lc_node.wire.queues import FairQueue


class Inbox:
    """One channel's received frames; a peer that sends too much loses its own newest."""

    def __init__(self, channel: Channel) -> None:
        """Start empty."""
        self._queue: FairQueue[Inbound] = FairQueue(INBOX[channel])
        self._filled = asyncio.Event()
        self.dropped = 0
        """Frames lost because their sender's share was full."""

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, inbound: Inbound) -> None:
        """Append a frame, or drop it if its sender has too many here."""
        if self._queue.push(inbound.peer, inbound, len(inbound.frame)):
            self._filled.set()
        else:
            self.dropped += 1

    async def take(self) -> Inbound:
        """Return the next frame, when there is one."""
        while (taken := self._queue.pop()) is None:
            self._filled.clear()
            await self._filled.wait()
        return taken[1]
