"""Writes a layer so that the same entries always give the same bytes.

A layer is a POSIX tar (pax headers for long names), sorted by path, owned by 0:0, its times 0, optionally
gzipped with an empty header (RFC 1952, MTIME 0). Gzip bytes depend on the zlib build, so what names the
*content* of a layer is the digest of the tar, ``diff_id``.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lc_node.oci.manifest import BlobName

BLOCK: Final = 512
GZIP_LEVEL: Final = 1
"""Level 6 takes twice the time for a tenth fewer bytes."""

FILE_MODE: Final = 0o644
PROGRAM_MODE: Final = 0o755
FOLDER_MODE: Final = 0o755
_GZIP_WINDOW: Final = 31
"""15 bits of window, and 16 for a gzip header instead of zlib's."""

Reader = Callable[[], Iterable[bytes]]


class InvalidEntry(ValueError):
    """An entry cannot be part of a layer; its message names the path and the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A regular file: its bytes, or its size and something that reads them."""

    path: str
    """Relative to the image's root, with ``/`` and no ``.`` or ``..``."""
    content: bytes | Reader
    size: int
    mode: int = FILE_MODE


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """A folder; parents of other entries need not be named unless their mode is not 0755."""

    path: str
    mode: int = FOLDER_MODE


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEntry:
    """A symbolic link."""

    path: str
    target: str


Entry = FileEntry | FolderEntry | LinkEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenLayer:
    """What is known of a layer once its last byte is written."""

    diff_id: BlobName
    tar_bytes: int
    digest: BlobName
    """Of the bytes as written: equal to ``diff_id`` for a layer that is not compressed."""
    size: int


def file_of(path: str, content: bytes, mode: int = FILE_MODE) -> FileEntry:
    """Return a file whose bytes are at hand."""
    return FileEntry(path=path, content=content, size=len(content), mode=mode)


def write_layer(
    entries: Iterable[Entry], write: Callable[[bytes], object], *, gzip: bool
) -> WrittenLayer:
    """Write a layer piece by piece and say what was written.

    Raises:
        InvalidEntry: a path is not plain, is there twice, or a file was not as long as it said.
    """
    squeeze = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW) if gzip else None
    content, blob = hashlib.sha256(), hashlib.sha256()
    tar_bytes = size = 0
    for piece in tar_pieces(entries):
        content.update(piece)
        tar_bytes += len(piece)
        packed = squeeze.compress(piece) if squeeze else piece
        blob.update(packed)
        size += len(packed)
        write(packed)
    if squeeze:
        rest = squeeze.flush()
        blob.update(rest)
        size += len(rest)
        write(rest)
    return WrittenLayer(
        diff_id=f"sha256:{content.hexdigest()}",
        tar_bytes=tar_bytes,
        digest=f"sha256:{blob.hexdigest()}",
        size=size,
    )


def tar_pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a tar of the entries and of the folders above them, in the order of their paths.

    Raises:
        InvalidEntry: as ``write_layer``.
    """
    for entry in _in_order(entries):
        yield _header(entry)
        if isinstance(entry, FileEntry):
            yield from _body(entry)
    yield bytes(2 * BLOCK)


def _in_order(entries: Iterable[Entry]) -> list[Entry]:
    named: dict[str, Entry] = {}
    for entry in entries:
        _validate_path(entry.path)
        if entry.path in named:
            raise InvalidEntry(f"{entry.path} is there twice")
        named[entry.path] = entry
    for path in list(named):
        for parent in _parents(path):
            above = named.setdefault(parent, FolderEntry(path=parent))
            if not isinstance(above, FolderEntry):
                raise InvalidEntry(f"{path} lies in {parent}, which is no folder")
    # Compared part by part, a folder comes right before what it holds.
    return sorted(named.values(), key=lambda entry: entry.path.split("/"))


def _parents(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _validate_path(path: str) -> None:
    if "\0" in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise InvalidEntry(f"{path!r} is not a plain relative path")


def _header(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    match entry:
        case FileEntry():
            info.size, info.mode = entry.size, entry.mode
        case FolderEntry():
            info.type, info.mode = tarfile.DIRTYPE, entry.mode
        case _:
            info.type, info.mode, info.linkname = tarfile.SYMTYPE, 0o777, entry.target
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _body(entry: FileEntry) -> Iterator[bytes]:
    pieces = (entry.content,) if isinstance(entry.content, bytes) else entry.content()
    length = 0
    for piece in pieces:
        length += len(piece)
        yield piece
    if length != entry.size:
        # The header with the size is already written, so this layer is lost.
        raise InvalidEntry(f"{entry.path} has {length} bytes, not {entry.size}: did it change?")
    if length % BLOCK:
        yield bytes(BLOCK - length % BLOCK)
