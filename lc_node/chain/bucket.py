"""A part of the state as three runs of bytes, so that a change copies and hashes little else.

A state of a million accounts has some 250 entries in a bucket. Kept as objects of their own they are
scattered over the memory, and to gather them takes five times as long as to hash them.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Final

from lc_node.chain.errors import MalformedEntries
from lc_node.merkle import leaf_hash

KEY_BYTES: Final = 33
"""A letter for the kind of record, and 32 bytes that name one."""
_END_BYTES: Final = 4
_COUNT_BYTES: Final = 4
_END: Final = struct.Struct(">I")
_SPAN: Final = struct.Struct(">II")


class Bucket:
    """Entries in key order: their keys, where each value ends, and the values. Never changes."""

    __slots__ = ("ends", "keys", "values")

    def __init__(self, keys: bytes, ends: bytes, values: bytes) -> None:
        """Hold runs that fit each other: use ``of`` for entries that come from outside."""
        self.keys: Final = keys
        self.ends: Final = ends
        self.values: Final = values

    @classmethod
    def of(cls, entries: Iterable[tuple[bytes, bytes]]) -> "Bucket":
        """Return a bucket of entries.

        Raises:
            MalformedEntries: a key is not 33 bytes long, or not above the one before it.
        """
        bucket, last = EMPTY, b""
        for key, value in entries:
            if len(key) != KEY_BYTES or key <= last:
                raise MalformedEntries
            bucket, last = bucket.updated(key, value), key
        return bucket

    @classmethod
    def load(cls, data: bytes) -> "Bucket":
        """Return the bucket that dumps to these bytes, whose hash the caller has checked.

        Raises:
            MalformedEntries: no bucket has so many bytes.
        """
        count = int.from_bytes(data[:_COUNT_BYTES], "big")
        keys_end = _COUNT_BYTES + KEY_BYTES * count
        ends_end = keys_end + _END_BYTES * count
        values_end = int.from_bytes(data[ends_end - _END_BYTES : ends_end], "big") if count else 0
        if len(data) < _COUNT_BYTES or len(data) != ends_end + values_end:
            raise MalformedEntries
        return cls(data[_COUNT_BYTES:keys_end], data[keys_end:ends_end], data[ends_end:])

    def dump(self) -> bytes:
        """Return the bytes that are hashed and sent: number of entries, keys, ends, values."""
        return b"".join((_END.pack(len(self)), self.keys, self.ends, self.values))

    def __len__(self) -> int:
        return len(self.ends) // _END_BYTES

    def get(self, key: bytes) -> bytes | None:
        """Return the value under a key, None if there is none."""
        place = self._found(key)
        if place is None:
            return None
        start, end = self._span(place)
        return self.values[start:end]

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries in key order."""
        for place in range(len(self)):
            start, end = self._span(place)
            yield self._key(place), self.values[start:end]

    def updated(self, key: bytes, value: bytes | None) -> "Bucket":
        """Return a bucket with an entry set, or removed if the value is None."""
        found = self._found(key)
        if found is None:
            place = after = self._place(key)
            start = stop = self._span(place - 1)[1] if place else 0
        else:
            place, after = found, found + 1
            start, stop = self._span(place)
        values = self.values[:start] + (value or b"") + self.values[stop:]
        if found is not None and value is not None and len(value) == stop - start:
            return Bucket(self.keys, self.ends, values)
        new_key, new_end = b"", b""
        if value is not None:
            new_key, new_end = key, _END.pack(start + len(value))
        tail = _shifted(self.ends[_END_BYTES * after :], len(values) - len(self.values))
        return Bucket(
            self.keys[: KEY_BYTES * place] + new_key + self.keys[KEY_BYTES * after :],
            self.ends[: _END_BYTES * place] + new_end + tail,
            values,
        )

    def leaf_hash(self) -> bytes:
        """Return the bucket's leaf (RFC 6962): the hash of its dump."""
        return leaf_hash(self.dump())

    def _key(self, place: int) -> bytes:
        """Return the key at a place, nothing beyond the last."""
        return self.keys[KEY_BYTES * place : KEY_BYTES * (place + 1)]

    def _found(self, key: bytes) -> int | None:
        """Return a key's place, None if it is not there."""
        at = self.keys.find(key)
        while at % KEY_BYTES and at > 0:  # it also begins inside another key
            at = self.keys.find(key, at + 1)
        return None if at < 0 else at // KEY_BYTES

    def _place(self, key: bytes) -> int:
        """Return the first place whose key is not below this one."""
        return bisect_left(range(len(self)), key, key=self._key)

    def _span(self, place: int) -> tuple[int, int]:
        """Return where the value at a place begins, which is where the one before it ends, and where it ends."""
        if place == 0:
            return 0, _END.unpack_from(self.ends)[0]
        span: tuple[int, int] = _SPAN.unpack_from(self.ends, _END_BYTES * (place - 1))
        return span


EMPTY: Final = Bucket(b"", b"", b"")


def _shifted(ends: bytes, by: int) -> bytes:
    """Return ends moved by a difference."""
    if by == 0:
        return ends
    layout = f">{len(ends) // _END_BYTES}I"
    return struct.pack(layout, *(end + by for end in struct.unpack(layout, ends)))
