"""Taking a file out of a container, as one member of a tar stream: nothing of it is trusted."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from lc_node.adapters.docker_engine import DockerEngine
from lc_node.adapters.tar_entries import Entry, Kind, Refused, TarReader
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.chunks import CHUNK_BYTES, chunk_root
from lc_node.ports.sandbox import BadOutputFile, SandboxFailed, TakenFile

_KINDS: Final = 0x8F28_0000
"""The bits of Go's ``fs.FileMode`` that say what a file is; none is set for a regular file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutFolder:
    """The folder of a container in which a job leaves its files."""

    container: str
    path: str
    is_final: bool
    """Whether no process of the job is left that could change it."""


def take_from(
    engine: DockerEngine, folder: OutFolder, *, name: str, into: Path, bytes_max: ByteCount
) -> TakenFile:
    """Copy the file ``name`` of a container's folder to a new file ``into``; blocks.

    The engine looks at the file, without following a link, before it sends it: size and kind are known before a
    byte is read. What then comes must be that one member.

    Raises:
        BadOutputFile: missing, a link, not a regular file, or larger than ``bytes_max``.
        OSError: ``into`` is there already or cannot be written.
    """
    _refuse_unless_plain_name(name)
    taken: TakenFile | None = None
    try:
        # Whoever looks and then opens is deceived by what is swapped in between; a job that stands still swaps nothing.
        still = contextlib.nullcontext() if folder.is_final else engine.paused(folder.container)
        with still, engine.archive(folder.container, f"{folder.path}/{name}") as found:
            if found is None:
                raise BadOutputFile(f"{name!r} cannot be taken: no such file")
            chunks, status = found
            _refuse_unless_plain(status, name, bytes_max)
            taken = _taken(chunks, name, into, bytes_max)
    except SandboxFailed as error:
        if taken is not None:
            into.unlink()
        raise BadOutputFile(f"{name!r} cannot be taken: {error}") from error
    return taken


def _taken(chunks: Iterator[bytes], name: str, into: Path, bytes_max: ByteCount) -> TakenFile:
    with into.open("xb") as target:
        try:
            digests, size = _copy(TarReader(_Bytes(chunks).read), target, name, bytes_max)
        except BaseException:
            into.unlink()
            raise
    return TakenFile(path=into, digest=Digest(chunk_root(digests)), size=ByteCount(size))


class _Bytes:
    """A stream of pieces, read in any sizes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        while len(self._rest) < count and (piece := next(self._pieces, b"")):
            self._rest += piece
        found, self._rest = self._rest[:count], self._rest[count:]
        return found


def _refuse_unless_plain_name(name: str) -> None:
    """Let no part of a path be resolved by the engine: a job may turn it into a link meanwhile."""
    if not name.isprintable() or "/" in name or name in {"", ".", ".."}:
        raise BadOutputFile(f"{name!r} is no name of a file in the folder itself")


def _refuse_unless_plain(status: dict[str, Any], name: str, bytes_max: ByteCount) -> None:
    if int(status.get("mode", _KINDS)) & _KINDS or status.get("linkTarget"):
        raise BadOutputFile(f"{name!r} is not a regular file")
    if (size := int(status.get("size", 0))) > bytes_max:
        raise BadOutputFile(f"{name!r} has {size} bytes, at most {bytes_max} are allowed")


def _copy(
    tar: TarReader, target: BinaryIO, name: str, bytes_max: ByteCount
) -> tuple[list[bytes], int]:
    """Copy in chunks and hash each."""
    try:
        entry = next(tar.entries(), None)
        if entry is None or not _is_plain(entry, name, bytes_max):
            raise BadOutputFile(f"{name!r} is not a regular file any more")
        digests: list[bytes] = []
        for chunk in _chunks(tar.content()):
            target.write(chunk)
            digests.append(hashlib.sha256(chunk).digest())
    except (Refused, SandboxFailed) as error:
        raise BadOutputFile(f"{name!r} changed while it was taken: {error}") from error
    return digests, entry.size


def _is_plain(entry: Entry, name: str, bytes_max: ByteCount) -> bool:
    return entry.kind is Kind.FILE and entry.parts == (name.encode(),) and entry.size <= bytes_max


def _chunks(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Cut a stream anew, into chunks as blob stores name them."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        while len(rest) >= CHUNK_BYTES:
            yield bytes(rest[:CHUNK_BYTES])
            del rest[:CHUNK_BYTES]
    if rest:
        yield bytes(rest)
