"""Memory that is used again: to get a new MiB from the system for each chunk costs as much as to encrypt it."""

from collections import deque
from typing import Final


class BufferPool:
    """Buffers of one size, each of which is used again once no memoryview of it is left.

    Not for several threads; the memoryviews may go anywhere.
    """

    def __init__(self, bytes_each: int, kept_max: int) -> None:
        """Begin without any; at most ``kept_max`` are kept for later."""
        self._bytes_each: Final = bytes_each
        self._kept_max: Final = kept_max
        self._kept: Final = deque[bytearray]()
        """The one handed out last is the last."""

    def __len__(self) -> int:
        return len(self._kept)

    def take(self) -> memoryview:
        """Return a buffer with anything in it; while it or a slice of it is held, nobody else gets it."""
        for _ in range(len(self._kept)):
            self._kept.rotate(-1)
            if _is_free(self._kept[-1]):
                return memoryview(self._kept[-1])
        buffer = bytearray(self._bytes_each)
        if len(self._kept) < self._kept_max:
            self._kept.append(buffer)
        return memoryview(buffer)

    def clear(self) -> None:
        """Give back what nobody holds; the rest follows when it is let go."""
        self._kept.clear()


def _is_free(buffer: bytearray) -> bool:
    """Return whether no memoryview of a buffer is left: Python resizes none that has one."""
    try:
        buffer.append(buffer.pop())
    except BufferError:
        return False
    return True
