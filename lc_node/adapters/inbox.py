"""What peers sent until somebody takes it, fairly between peers."""

import asyncio
from typing import Final, Generic, TypeVar

from lc_node.chain.types import PublicKey
from lc_node.wire.limits import QueueLimit
from lc_node.wire.queues import FairQueue

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """A queue that never waits: a peer that sends too much loses its own newest."""

    def __init__(self, limit: QueueLimit) -> None:
        """Start empty."""
        self._queue: FairQueue[Item] = FairQueue(limit)
        self._filled: Final = asyncio.Event()
        self.dropped = 0
        """Items lost because their sender's share was full."""

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, peer: PublicKey, item: Item, size: int) -> bool:
        """Append an item of ``size`` bytes; return False if its sender has too many here."""
        if not self._queue.push(peer, item, size):
            self.dropped += 1
            return False
        self._filled.set()
        return True

    async def take(self) -> tuple[PublicKey, Item]:
        """Return the next item and who sent it, when there is one."""
        while (taken := self._queue.pop()) is None:
            self._filled.clear()
            await self._filled.wait()
        return taken

    def next(self) -> tuple[PublicKey, Item] | None:
        """Return the next item and who sent it, None if there is none now."""
        return self._queue.pop()

    def forget(self, peer: PublicKey) -> None:
        """Drop what a peer has here: nobody wants to hear it any more."""
        self._queue.forget(peer)
