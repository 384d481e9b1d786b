"""The bytes of one layer of a stranger's image, inflated and bounded; the standard library alone."""

import hashlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from lc_node.adapters.tar_entries import Refused

READ_BYTES: Final = 256 * 1024
MEMBERS_MAX: Final = 200_000
"""Members of a gzip file; the most detailed formats have one for each file of the image."""

_INFLATE_BYTES: Final = 1024 * 1024
_FREE_OF_RATIO_BYTES: Final = 16 * 1024 * 1024
_GZIP_WINDOW: Final = 31


class LayerStream:
    """The bytes of a layer as its author wrote them: inflated if need be, hashed, and no more than allowed."""

    def __init__(self, file: BinaryIO, *, gzip: bool, bytes_max: int, ratio_max: int) -> None:
        """Read ``file``; refuse to yield more than ``bytes_max``, or ``ratio_max`` times what was read."""
        self._file = file
        self._bytes_max = bytes_max
        self._ratio_max = ratio_max
        self._read_bytes = 0
        self._yielded_bytes = 0
        self._piece = b""
        self._at = 0
        """How much of the piece was handed out: to copy its rest each time would be quadratic."""
        self._digest = hashlib.sha256()
        self._pieces = self._inflated() if gzip else self._plain()

    def read(self, count: int) -> bytes:
        """Return ``count`` bytes, fewer at the end only.

        Raises:
            Refused: too many bytes, or a malformed compression.
        """
        parts = [self._rest(count)]
        missing = count - len(parts[0])
        while missing > 0 and (piece := next(self._pieces, b"")):
            self._account(piece)
            self._piece, self._at = piece, 0
            parts.append(self._rest(missing))
            missing -= len(parts[-1])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def finish(self) -> str:
        """Read to the end and return the digest of all that there was."""
        while self.read(READ_BYTES):
            continue
        return "sha256:" + self._digest.hexdigest()

    def _rest(self, count: int) -> bytes:
        """Hand out what is left of the piece in hand, at most ``count`` bytes."""
        found = self._piece[self._at : self._at + count]
        self._at += len(found)
        return found

    def _account(self, piece: bytes) -> None:
        self._yielded_bytes += len(piece)
        self._digest.update(piece)
        if self._yielded_bytes > self._bytes_max:
            raise Refused(f"a layer of more than {self._bytes_max} bytes")
        if self._yielded_bytes > _FREE_OF_RATIO_BYTES + self._ratio_max * self._read_bytes:
            raise Refused(f"a layer compressed more than {self._ratio_max} times")

    def _plain(self) -> Iterator[bytes]:
        while data := self._file.read(READ_BYTES):
            self._read_bytes += len(data)
            yield data

    def _inflated(self) -> Iterator[bytes]:
        """Inflate; a gzip file may have several members, RFC 1952 section 2.2."""
        decoder = None
        members = 0
        for data in self._plain():
            rest = data
            while rest:
                if decoder is None:
                    decoder = zlib.decompressobj(_GZIP_WINDOW)
                    members += 1
                    if members > MEMBERS_MAX:
                        raise Refused(f"a layer compressed in more than {MEMBERS_MAX} pieces")
                try:
                    piece = decoder.decompress(rest, _INFLATE_BYTES)
                except zlib.error as error:
                    raise Refused(f"a malformed compression: {error}") from error
                rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
                decoder = None if decoder.eof else decoder
                if piece:
                    yield piece
        if decoder is not None:
            raise Refused("a compression that ends early")
