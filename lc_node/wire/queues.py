"""A bounded queue that takes turns between peers, so that none can crowd out the others.

The bound over all peers is that of shared-memory switches (Choudhury and Hahne, "Dynamic queue length
thresholds for shared-memory packet switches", 1998): a line may grow while it is not larger than what is
left free. Of k peers that send without end each gets a (k+1)th, and as much stays free for who comes next.
"""

from collections import deque
from typing import Generic, TypeVar

from lc_node.chain.types import PublicKey
from lc_node.wire.limits import QueueLimit

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Per peer first in, first out; between peers round robin; each peer's share is bounded."""

    def __init__(self, limit: QueueLimit) -> None:
        """Start empty."""
        self._limit = limit
        self._lines: dict[PublicKey, deque[tuple[Item, int]]] = {}
        self._bytes: dict[PublicKey, int] = {}
        self._turns: deque[PublicKey] = deque()
        self._length = 0
        self._bytes_all = 0

    def __len__(self) -> int:
        return self._length

    def push(self, peer: PublicKey, item: Item, size: int) -> bool:
        """Append an item of ``size`` bytes; return False and drop it if the peer's share is full.

        A first item always finds room: there are not many peers.
        """
        line = self._lines.get(peer)
        if line is None:
            line = self._lines[peer] = deque()
            self._bytes[peer] = 0
            self._turns.append(peer)
        if line and self._is_full(peer, size):
            return False
        line.append((item, size))
        self._bytes[peer] += size
        self._bytes_all += size
        self._length += 1
        return True

    def pop(self) -> tuple[PublicKey, Item] | None:
        """Take the next item, None if there is none."""
        if not self._turns:
            return None
        peer = self._turns.popleft()
        item, size = self._lines[peer].popleft()
        self._bytes[peer] -= size
        self._bytes_all -= size
        self._length -= 1
        if self._lines[peer]:
            self._turns.append(peer)
        else:
            del self._lines[peer], self._bytes[peer]
        return peer, item

    def forget(self, peer: PublicKey) -> None:
        """Drop everything that a peer has in the queue."""
        line = self._lines.pop(peer, None)
        if line is None:
            return
        self._length -= len(line)
        self._bytes_all -= self._bytes.pop(peer)
        self._turns.remove(peer)

    def _is_full(self, peer: PublicKey, size: int) -> bool:
        limit, bytes_own = self._limit, self._bytes[peer] + size
        free = limit.bytes_all - self._bytes_all
        return len(self._lines[peer]) >= limit.frames or bytes_own > min(limit.bytes, free)
