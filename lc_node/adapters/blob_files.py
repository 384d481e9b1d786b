"""The files of blobs: written beside their place, resumed, verified, published."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lc_node.adapters.blob_hashing import BlobHasher, Bytes, hasher
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.stores import BlobCorrupt, BlobIncomplete, Naming, StorageFull

_READ_BYTES: Final = 1024 * 1024
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class PartialFile:
    """A blob on its way in; ``close`` keeps what came, ``finish`` publishes it."""

    def __init__(
        self,
        *,
        path: Path,
        final: Path,
        digest: Digest,
        size: ByteCount,
        naming: Naming,
        on_end: Callable[[Digest], None],
    ) -> None:
        """Open ``path``, hashing what an earlier download left there."""
        self._path = path
        self._final = final
        self._digest = digest
        self._size = size
        self._on_end = on_end
        self._hasher, self._offset = _resumed(path, size, naming)
        self._file = path.open("ab", buffering=0)

    @property
    def path(self) -> Path:
        """The file that holds the bytes until ``finish``."""
        return self._path

    @property
    def offset(self) -> ByteCount:
        """How many bytes are already here."""
        return self._offset

    def write(self, data: Bytes, *, digest: Digest | None = None) -> None:
        """Append the next bytes, whose SHA-256 is ``digest``; more than announced are another blob's."""
        if self._offset + len(data) > self._size:
            self._discard()
            raise BlobCorrupt(self._digest)
        with room_checked(self._path):
            self._append(data)
        self._hasher.update(data, digest)
        self._offset = ByteCount(self._offset + len(data))

    def finish(self) -> Path:
        """Verify the digest and publish the blob; other bytes are deleted."""
        if self._offset != self._size:
            raise BlobIncomplete(self._digest, offset=self._offset, size=self._size)
        if self._hasher.digest() != self._digest:
            self._discard()
            raise BlobCorrupt(self._digest)
        self._file.close()
        with room_checked(self._path):
            publish(self._path, self._final)
        self._on_end(self._digest)
        return self._final

    def close(self) -> None:
        """Stop for now; what is here stays for a later resume. After ``finish`` nothing changes."""
        if not self._file.closed:
            self._file.close()
            self._on_end(self._digest)

    def _append(self, data: Bytes) -> None:
        """Write all of it, or leave the file as it was."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self._file.truncate(self._offset)
            raise

    def _discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)
        self._on_end(self._digest)


def file_digest(path: Path, naming: Naming) -> Digest:
    """Return the name that a file's content has now."""
    taken = hasher(naming)
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            taken.update(piece)
    return taken.digest()


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file its name, for good: file and folder are on the disk when it returns."""
    final.parent.mkdir(mode=0o700, exist_ok=True)
    temporary.chmod(0o444)  # its name says what is in it: nobody has a reason to write
    _fsync(temporary)
    temporary.replace(final)
    _fsync(final.parent)


@contextmanager
def room_checked(path: Path) -> Iterator[None]:
    """Turn the operating system's words for a full disk into ours."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(path) from error
        raise


def _resumed(path: Path, size: ByteCount, naming: Naming) -> tuple[BlobHasher, ByteCount]:
    """Hash what is at ``path`` already; start anew if it cannot be the beginning of this blob."""
    taken = hasher(naming)
    if not path.exists():
        return taken, ByteCount(0)
    if path.stat().st_size > size:
        path.unlink()
        return taken, ByteCount(0)
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            taken.update(piece)
        return taken, ByteCount(file.tell())


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
