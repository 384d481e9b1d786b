"""One canonical encoding for everything that is hashed, signed, stored or sent.

MessagePack through msgspec, with structs as arrays of integers, bytes, strings and arrays. MessagePack
alone allows several encodings of one value; a decoder here refuses bytes that it would not itself write.
"""

from types import UnionType
from typing import Generic, TypeVar, dataclass_transform

import msgspec

from lc_node.chain.errors import MalformedBytes

T = TypeVar("T")

_encoder = msgspec.msgpack.Encoder()


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Record(
    msgspec.Struct,
    array_like=True,
    frozen=True,
    forbid_unknown_fields=True,
    gc=False,  # what is immutable has no reference cycles: nothing for the collector to walk
    kw_only=True,
):
    """Base of every value that crosses a boundary: immutable, encoded as an array."""


def encode(value: object) -> bytes:
    """Return the canonical bytes of a value made of records, integers, bytes, strings and arrays."""
    return _encoder.encode(value)


class Decoder(Generic[T]):
    """Decodes one kind of value, strictly and canonically."""

    def __init__(self, kind: type[T] | UnionType, *, what: str, bytes_max: int) -> None:
        """Prepare to decode ``kind``, called ``what`` in errors, of at most ``bytes_max`` bytes."""
        self._decoder: msgspec.msgpack.Decoder[T] = msgspec.msgpack.Decoder(kind)
        self._what = what
        self._bytes_max = bytes_max

    def decode(self, data: bytes) -> T:
        """Return the value that ``data`` encodes.

        Raises:
            MalformedBytes: too long, not MessagePack, not of this kind, or not canonical.
        """
        if len(data) > self._bytes_max:
            raise MalformedBytes(self._what, f"{len(data)} bytes exceed {self._bytes_max}")
        try:
            value = self._decoder.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedBytes(self._what, str(error)) from error
        if _encoder.encode(value) != data:
            raise MalformedBytes(self._what, "not the canonical encoding")
        return value
