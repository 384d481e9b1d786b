"""The state's Merkle root: 4,096 buckets of entries under an RFC 6962 tree, updated in place.

An update costs one bucket and twelve hashes. A commitment of an unfinalised block keeps only what
differs from its parent's.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from lc_node.chain.bucket import EMPTY, Bucket
from lc_node.chain.overlay import Overlay
from lc_node.chain.types import Digest
from lc_node.merkle import node_hash

BUCKET_BITS: Final = 12
BUCKETS: Final = 1 << BUCKET_BITS


@lru_cache(maxsize=1 << 14)  # an account is read, then updated, in block after block
def bucket_of(key: bytes) -> int:
    """Return the index of the bucket that holds a key: the first 12 bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(key).digest()[:2], "big") >> (16 - BUCKET_BITS)


def _hashes_of_empty_subtrees() -> tuple[bytes, ...]:
    """Return the hash of a subtree of empty buckets by its depth; 0 is the root."""
    hashes = [EMPTY.leaf_hash()]
    for _ in range(BUCKET_BITS):
        hashes.append(node_hash(hashes[-1], hashes[-1]))
    return tuple(reversed(hashes))


_EMPTY: Final = _hashes_of_empty_subtrees()


class Commitment:
    """A keyed set of entries and its root.

    Nodes are numbered as in a heap: 1 is the root, node n has the children 2n and 2n + 1, and the
    leaf of bucket i is node 4,096 + i. A node that was never set stands over empty buckets.
    """

    __slots__ = ("_buckets", "_nodes")

    def __init__(
        self,
        buckets: Overlay[int, Bucket] | None = None,
        nodes: Overlay[int, bytes] | None = None,
    ) -> None:
        """Start empty, or over what another commitment holds."""
        self._buckets: Overlay[int, Bucket] = Overlay(buckets)
        self._nodes: Overlay[int, bytes] = Overlay(nodes)

    @property
    def root(self) -> Digest:
        """The RFC 6962 root over all buckets."""
        return Digest(self.node(1))

    def node(self, number: int) -> bytes:
        """Return the hash of a node by its heap number."""
        return self._nodes.get(number) or _EMPTY[number.bit_length() - 1]

    def bucket(self, index: int) -> Bucket:
        """Return a bucket."""
        return self._buckets.get(index) or EMPTY

    def get(self, key: bytes) -> bytes | None:
        """Return the entry under a key, None if there is none."""
        return self.bucket(bucket_of(key)).get(key)

    def leaves(self) -> tuple[bytes, ...]:
        """Return the hashes of all buckets: what makes up the root."""
        return tuple(self.node(BUCKETS + index) for index in range(BUCKETS))

    def frozen(self) -> "Commitment":
        """Return a commitment of the same entries that no later change of this one reaches.

        Buckets never change, so that it costs two dictionaries, and then whatever differs from this one.
        """
        copy = Commitment()
        copy._buckets.own = self._buckets.items()
        copy._nodes.own = self._nodes.items()
        return copy

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries, bucket by bucket."""
        for _, bucket in sorted(self._buckets.items().items()):
            yield from bucket.items()

    def updated(self, changes: Mapping[bytes, bytes | None]) -> "Commitment":
        """Return a commitment over this one with entries set, or removed where the change is None."""
        buckets: dict[int, Bucket] = {}
        for key, value in changes.items():
            index = bucket_of(key)
            bucket = buckets[index] if index in buckets else self.bucket(index)
            buckets[index] = bucket.updated(key, value)
        child = Commitment(self._buckets, self._nodes)
        child.replace(buckets)
        return child

    def replace(self, buckets: Mapping[int, Bucket]) -> None:
        """Replace whole buckets, and rehash the nodes above them."""
        if not buckets:
            return
        nodes = self._nodes.own
        for index, bucket in buckets.items():
            self._buckets.own[index] = bucket
            nodes[BUCKETS + index] = bucket.leaf_hash()
        level = sorted(BUCKETS + index for index in buckets)
        while level[0] > 1:
            level = list(dict.fromkeys(number >> 1 for number in level))
            for number in level:
                left, right = 2 * number, 2 * number + 1
                nodes[number] = node_hash(
                    nodes.get(left) or self.node(left), nodes.get(right) or self.node(right)
                )

    def flatten(self) -> None:
        """Merge all changes into what is final, at the cost of the changes; see Overlay.flatten."""
        self._buckets.flatten()
        self._nodes.flatten()
