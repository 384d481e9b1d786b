"""Taking a file out of a folder that a stranger's program is writing to, while it is writing."""

import ctypes
import errno
import hashlib
import os
import stat
import struct
from pathlib import Path
from typing import BinaryIO, Final

from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.chunks import CHUNK_BYTES, chunk_root
from lc_node.ports.sandbox import BadOutputFile, TakenFile

_SYS_OPENAT2: Final = 437
_RESOLVE_NO_XDEV: Final = 0x01
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_BENEATH: Final = 0x08
_RESOLVE: Final = (
    _RESOLVE_NO_XDEV | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH
)
_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY

_libc = ctypes.CDLL(None, use_errno=True)


def take_file(folder: int, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
    """Copy the file ``name`` of an open folder to a new file ``into``.

    Nothing of the file is trusted: not its kind, not its size, not that either stays as it is. ``openat2(2)``
    refuses to leave the folder or to follow a link; without blocking, a FIFO cannot hold us up.

    Raises:
        BadOutputFile: missing, a link, not a regular file, or larger than ``bytes_max``.
        OSError: ``into`` is there already or cannot be written.
    """
    descriptor = _open_beneath(folder, name)
    try:
        _refuse_unless_plain(os.fstat(descriptor), name, bytes_max)
        digests, size = _copy(descriptor, name, into, bytes_max)
    finally:
        os.close(descriptor)
    return TakenFile(path=into, digest=Digest(chunk_root(digests)), size=ByteCount(size))


def _open_beneath(folder: int, name: str) -> int:
    how = struct.pack("=QQQ", _FLAGS, 0, _RESOLVE)
    try:
        path = os.fsencode(name)
    except UnicodeEncodeError as error:
        raise BadOutputFile("the file's name is not text") from error
    if not path or b"\0" in path:
        raise BadOutputFile("the file has no valid name")
    descriptor = _libc.syscall(_SYS_OPENAT2, folder, path, how, len(how))
    if descriptor < 0:
        number = ctypes.get_errno()
        raise BadOutputFile(f"{name!r} cannot be taken: {_reason(number)}")
    return int(descriptor)


def _reason(number: int) -> str:
    match number:
        case errno.ELOOP:
            return "it is a link, or behind one"
        case errno.EXDEV:
            return "it lies outside the folder for outputs"
        case errno.ENXIO:
            return "it is not a regular file"
        case _:
            return os.strerror(number)


def _refuse_unless_plain(status: os.stat_result, name: str, bytes_max: ByteCount) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise BadOutputFile(f"{name!r} is not a regular file")
    if status.st_nlink != 1:
        raise BadOutputFile(f"{name!r} has more than one name")
    if status.st_size > bytes_max:
        raise BadOutputFile(
            f"{name!r} has {status.st_size} bytes, at most {bytes_max} are allowed"
        )


def _copy(descriptor: int, name: str, into: Path, bytes_max: ByteCount) -> tuple[list[bytes], int]:
    """Copy in chunks and hash each; leave no half file behind."""
    with into.open("xb") as target, os.fdopen(os.dup(descriptor), "rb") as source:
        try:
            return _copy_chunks(source, target, name, bytes_max)
        except BaseException:
            into.unlink()
            raise


def _copy_chunks(
    source: BinaryIO, target: BinaryIO, name: str, bytes_max: ByteCount
) -> tuple[list[bytes], int]:
    digests: list[bytes] = []
    size = 0
    while chunk := source.read(CHUNK_BYTES):
        size += len(chunk)
        if size > bytes_max:
            raise BadOutputFile(f"{name!r} grew past {bytes_max} bytes while it was taken")
        target.write(chunk)
        digests.append(hashlib.sha256(chunk).digest())
        if len(chunk) < CHUNK_BYTES:
            break  # the end: a file that grows again would have a short chunk before others
    return digests, size
