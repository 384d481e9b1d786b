"""Flooding with a memory: each message is handled once and passed on once, to whoever lacks it."""

from collections.abc import Iterable

from lc_node.chain.crypto import digest
from lc_node.chain.types import Digest, PublicKey


def message_id(raw: bytes) -> Digest:
    """Return the name under which a gossiped message is remembered: of all its bytes."""
    return digest("lc/gossip/1", raw)


class SeenCache:
    """Remembers the last ``entries_max`` messages and which peers are known to have each."""

    def __init__(self, entries_max: int) -> None:
        """Remember nothing yet."""
        self._entries_max = entries_max
        # A dict keeps the order of insertion: the first key is the oldest.
        self._holders: dict[Digest, set[PublicKey]] = {}

    def __len__(self) -> int:
        return len(self._holders)

    def __contains__(self, message: Digest) -> bool:
        return message in self._holders

    def note(self, message: Digest, holder: PublicKey | None) -> bool:
        """Record that ``holder`` (None: we) has the message; return whether it is new to us."""
        holders = self._holders.get(message)
        is_new = holders is None
        if holders is None:
            holders = self._holders[message] = set()
            if len(self._holders) > self._entries_max:
                del self._holders[next(iter(self._holders))]
        if holder is not None:
            holders.add(holder)
        return is_new

    def lacking(self, message: Digest, peers: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Return the peers not known to have the message, sorted by key."""
        holders = self._holders.get(message, frozenset[PublicKey]())
        return tuple(sorted(peer for peer in peers if peer not in holders))
