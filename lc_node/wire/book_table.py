"""A table of an address book: buckets of bounded size, at places that only its owner can foresee.

After Bitcoin's addrman (Heilman et al., "Eclipse attacks on Bitcoin's peer-to-peer network", 2015): whoever
controls few groups of addresses reaches few buckets, and cannot compute which node shares a place with which.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NewType

from lc_node.chain.crypto import digest
from lc_node.chain.types import Digest, PublicKey
from lc_node.wire.endpoints import Group
from lc_node.wire.known import Draw

BUCKET_SIZE: Final = 32
"""Nodes in a bucket."""
NEW_BUCKETS: Final = 256
"""Buckets for nodes that we have only heard of."""
NEW_BUCKETS_PER_SOURCE: Final = 16
"""Those that one group of tellers reaches."""
TRIED_BUCKETS: Final = 64
"""Buckets for nodes that we have reached."""
TRIED_BUCKETS_PER_GROUP: Final = 4
"""Those that one group of nodes reaches."""

Bucket = NewType("Bucket", int)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in a table: at most one node has it."""

    bucket: Bucket
    position: int


class Table:
    """Which node is at which place."""

    def __init__(self) -> None:
        """Start empty."""
        self._buckets: dict[Bucket, dict[int, PublicKey]] = {}
        self._places: dict[PublicKey, Place] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: PublicKey) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self._places)

    def at(self, place: Place) -> PublicKey | None:
        """Return who is at a place."""
        return self._buckets.get(place.bucket, {}).get(place.position)

    def put(self, key: PublicKey, place: Place) -> None:
        """Put a node that is not in the table at a place that is free."""
        self._buckets.setdefault(place.bucket, {})[place.position] = key
        self._places[key] = place

    def remove(self, key: PublicKey) -> None:
        """Free the place of a node."""
        place = self._places.pop(key)
        bucket = self._buckets[place.bucket]
        del bucket[place.position]
        if not bucket:
            del self._buckets[place.bucket]

    def draw(self, draw: Draw) -> PublicKey:
        """Return a node of a table that is not empty: any bucket in use, then anybody in it.

        So a crowd in few buckets is not drawn more often than a few nodes in as many.
        """
        bucket = self._buckets[tuple(self._buckets)[draw(len(self._buckets))]]
        return tuple(bucket.values())[draw(len(bucket))]


def new_place(secret: Digest, key: PublicKey, group: Group, source: Group) -> Place:
    """Return the place of a node that we have heard of: the source's group bounds the buckets."""
    spread = _number(secret, b"new group", group, source) % NEW_BUCKETS_PER_SOURCE
    bucket = _number(secret, b"new bucket", source, bytes((spread,))) % NEW_BUCKETS
    return _place(secret, b"new", Bucket(bucket), key)


def tried_place(secret: Digest, key: PublicKey, group: Group) -> Place:
    """Return the place of a node that we have reached: its own group bounds the buckets."""
    spread = _number(secret, b"tried key", key) % TRIED_BUCKETS_PER_GROUP
    bucket = _number(secret, b"tried bucket", group, bytes((spread,))) % TRIED_BUCKETS
    return _place(secret, b"tried", Bucket(bucket), key)


def _place(secret: Digest, table: bytes, bucket: Bucket, key: PublicKey) -> Place:
    position = _number(secret, table, bucket.to_bytes(2, "big"), key) % BUCKET_SIZE
    return Place(bucket=bucket, position=position)


def _number(secret: Digest, *parts: bytes) -> int:
    return int.from_bytes(digest("lc/book/1", secret, *parts)[:8], "big")
