"""Messages kept for a little while, so that what has been announced can be delivered."""

from lc_node.chain.types import ByteCount, Digest


class Recent:
    """The latest messages by name; the oldest go when there are too many, or too many bytes."""

    def __init__(self, messages_max: int, bytes_max: ByteCount) -> None:
        """Keep nothing yet."""
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._messages: dict[Digest, bytes] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, name: Digest, raw: bytes) -> None:
        """Keep a message."""
        if name in self._messages:
            return
        self._messages[name] = raw
        self._bytes += len(raw)
        while len(self._messages) > self._messages_max or self._bytes > self._bytes_max:
            self._bytes -= len(self._messages.pop(next(iter(self._messages))))

    def get(self, name: Digest) -> bytes | None:
        """Return a message, None if it is gone."""
        return self._messages.get(name)
