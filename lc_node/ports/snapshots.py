"""Where a state is gathered before it replaces what this node has."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from lc_node.chain.types import Digest, Epoch


class SnapshotStore(Protocol):
    """A state on its way in, and how the epochs before it ended: kept over restarts until it is whole."""

    def held(self) -> Mapping[int, Digest]:
        """Return which buckets are here, with the hash of each."""
        ...

    def put(self, buckets: Iterable[tuple[int, Digest, bytes]]) -> None:
        """Keep buckets, by index, with their hashes; each replaces what was there.

        Raises:
            StorageFull: the disk has no room; none of them is kept.
        """
        ...

    def buckets(self) -> Iterator[tuple[int, bytes]]:
        """Yield the buckets by index."""
        ...

    def put_proofs(self, proofs: Iterable[tuple[Epoch, bytes]]) -> None:
        """Keep how epochs ended.

        Raises:
            StorageFull: the disk has no room; none of them is kept.
        """
        ...

    def proofs(self, first: Epoch) -> Iterator[tuple[Epoch, bytes]]:
        """Yield how epochs ended, from ``first`` on, as long as they follow each other."""
        ...

    def clear(self) -> None:
        """Forget everything."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...
