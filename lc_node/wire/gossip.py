"""What we remember of gossip: each message is handled once, and told to nobody who knows of it."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.merkle import leaf_hash


def message_id(raw: bytes) -> Digest:
    """Return the name of a gossiped message: of all its bytes, as the mempool names a transaction."""
    return Digest(leaf_hash(raw))


class Mark(IntEnum):
    """What is remembered of a peer and a message."""

    KNOWS = 0
    """It has the message, or has been told of it: it needs no word from us."""
    TOLD_US = 1
    """It has sent the message to us, or announced it."""
    GOT = 2
    """We have sent it the message."""


_ALL_MARKS: Final = (1 << len(Mark)) - 1


class _Entry:
    """One message and what is remembered of peers: a bit for each mark of each, for there are many messages."""

    __slots__ = ("again_at", "bits")

    def __init__(self) -> None:
        self.bits = 0
        self.again_at: Millis | None = None


class SeenCache:
    """Remembers the last ``entries_max`` messages, and which connected peer knows of which."""

    def __init__(self, entries_max: int) -> None:
        """Remember nothing yet."""
        self._entries_max = entries_max
        # A dict keeps the order of insertion: the first key is the oldest.
        self._entries: dict[Digest, _Entry] = {}
        self._bits: dict[PublicKey, int] = {}
        """The first of each peer's bits in every entry, a bit for each mark."""

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, message: Digest) -> bool:
        return message in self._entries

    def joined(self, peer: PublicKey) -> None:
        """Keep account of a peer from now on."""
        taken, bit = set(self._bits.values()), 1
        while bit in taken:
            bit <<= len(Mark)
        self._bits.setdefault(peer, bit)

    def left(self, peer: PublicKey) -> None:
        """Forget what a peer knew: should it come again, it may have forgotten too."""
        kept = ~(self._bits.pop(peer, 0) * _ALL_MARKS)
        # There are many entries, and whoever likes may come and go often.
        for entry in self._entries.values():
            entry.bits &= kept

    def is_wanted(self, message: Digest, now: Millis) -> bool:
        """Return whether a message would be new to us."""
        entry = self._entries.get(message)
        return entry is None or (entry.again_at is not None and entry.again_at <= now)

    def note(self, message: Digest, now: Millis) -> bool:
        """Remember a message; return whether it is new, or one whose second time has come."""
        is_new = self.is_wanted(message, now)
        entry = self._entries.get(message)
        if entry is None:
            self._entries[message] = _Entry()
            if len(self._entries) > self._entries_max:
                del self._entries[next(iter(self._entries))]
        elif is_new:
            entry.again_at = None
        return is_new

    def postpone(self, message: Digest, again_at: Millis) -> None:
        """Take a message as new once more from a moment on: it may be welcome then."""
        entry = self._entries.get(message)
        if entry is not None:
            entry.again_at = again_at

    def mark(self, message: Digest, peer: PublicKey, mark: Mark) -> None:
        """Remember something of a peer and a message; nothing if either is unknown."""
        entry = self._entries.get(message)
        if entry is not None:
            entry.bits |= self._bits.get(peer, 0) << mark

    def unmark(self, message: Digest, peer: PublicKey, mark: Mark) -> None:
        """Take ``mark`` back."""
        entry = self._entries.get(message)
        if entry is not None:
            entry.bits &= ~(self._bits.get(peer, 0) << mark)

    def is_marked(self, message: Digest, peer: PublicKey, mark: Mark) -> bool:
        """Return what is remembered of a peer and a message."""
        entry = self._entries.get(message)
        return entry is not None and bool(entry.bits & self._bits.get(peer, 0) << mark)

    def lacking(self, message: Digest, peers: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Return those of the peers that need word of the message, sorted by key."""
        return tuple(
            sorted(peer for peer in peers if not self.is_marked(message, peer, Mark.KNOWS))
        )
