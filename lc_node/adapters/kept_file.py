"""A file that is replaced as a whole: after a crash there is the old content or the new, never half of one."""

import os
import secrets
from pathlib import Path


def read_kept(path: Path, *, bytes_max: int) -> bytes | None:
    """Return what a file holds; None if there is none, or it cannot be read or is too long to be ours."""
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except OSError:
        return None
    return data if len(data) <= bytes_max else None


def write_kept(path: Path, data: bytes) -> None:
    """Replace a file, durably, by one that only the owner reads.

    Raises:
        OSError: the disk is full, or the folder is gone; the old content is still there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
