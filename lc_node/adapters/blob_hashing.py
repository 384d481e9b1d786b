"""The name of a blob, computed while its bytes pass by."""

import hashlib
from typing import Protocol, TypeAlias

from lc_node.chain.types import Digest
from lc_node.oci.chunks import CHUNK_BYTES, chunk_root
from lc_node.ports.stores import Naming

Bytes: TypeAlias = bytes | memoryview


class BlobHasher(Protocol):
    """Takes a blob's bytes in order and names them."""

    def update(self, data: Bytes, digest: Digest | None = None) -> None:
        """Take the next bytes, any number of them; ``digest`` is their SHA-256 where it is known."""
        ...

    def digest(self) -> Digest:
        """Return the name of everything taken so far."""
        ...


class WholeHasher:
    """SHA-256 of the whole."""

    def __init__(self) -> None:
        self._state = hashlib.sha256()

    def update(self, data: Bytes, digest: Digest | None = None) -> None:
        """Take the next bytes; what is known of them alone is of no use to the whole."""
        del digest
        self._state.update(data)

    def digest(self) -> Digest:
        """Return SHA-256 of everything taken so far."""
        return Digest(self._state.digest())


class ChunkHasher:
    """Root over the chunks, see ``oci.chunks``; holds one hash a chunk, never the chunk."""

    def __init__(self) -> None:
        self._finished: list[bytes] = []
        self._current = hashlib.sha256()
        self._current_bytes = 0

    def update(self, data: Bytes, digest: Digest | None = None) -> None:
        """Take the next bytes, cut where chunks end; a whole chunk whose digest is known is not hashed again."""
        view = memoryview(data)
        if digest is not None and not self._current_bytes and len(view) == CHUNK_BYTES:
            self._finished.append(digest)
            return
        while view:
            piece = view[: CHUNK_BYTES - self._current_bytes]
            self._current.update(piece)
            self._current_bytes += len(piece)
            view = view[len(piece) :]
            if self._current_bytes == CHUNK_BYTES:
                self._finished.append(self._current.digest())
                self._current, self._current_bytes = hashlib.sha256(), 0

    def digest(self) -> Digest:
        """Return the root over the chunks taken so far, the last of which may be short."""
        last = [self._current.digest()] if self._current_bytes else []
        return Digest(chunk_root([*self._finished, *last]))


def hasher(naming: Naming) -> BlobHasher:
    """Return a fresh hasher for a kind of name."""
    return ChunkHasher() if naming is Naming.CHUNKS else WholeHasher()
