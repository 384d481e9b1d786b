"""Files for the owner's eyes alone: written complete or not at all, refused if others had access."""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from lc_node.ports.keystore import KeyUnsafe

_OTHERS: Final = 0o077


def write_private(path: Path, data: bytes, *, taken: Exception) -> None:
    """Write a new file of mode 0600 in a folder of mode 0700, durably.

    Raises:
        Exception: ``taken``, if the file exists.
        KeyUnsafe: the folder is open to others and in use.
    """
    _make_private(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(temporary, path)  # unlike a rename, a link never replaces what is there
        except FileExistsError:
            raise taken from None
    finally:
        temporary.unlink(missing_ok=True)
    _fsync_folder(path.parent)


def read_private(path: Path) -> bytes | None:
    """Return what a file holds that others could neither read nor write; None if there is none such.

    A file that others had access to counts as absent: its content can be made again.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        is_ours = status.st_uid == os.geteuid() and not status.st_mode & _OTHERS
        return file.read() if is_ours else None


def check_private_file(path: Path) -> None:
    """Refuse a file that is not ours, is open to others, or lies where others could replace it.

    Raises:
        KeyUnsafe: with the command that mends it.
    """
    for place in (path, path.parent):
        status = place.lstat()
        if stat.S_ISLNK(status.st_mode):
            raise KeyUnsafe(place, "is a link", "put the file itself there")
        if status.st_uid != os.geteuid():
            raise KeyUnsafe(
                place, f"belongs to user {status.st_uid}", "run the node as that user, or chown it"
            )
        if status.st_mode & _OTHERS:
            mode = "700" if stat.S_ISDIR(status.st_mode) else "600"
            is_open = f"is open to others (mode {stat.S_IMODE(status.st_mode):o})"
            raise KeyUnsafe(place, is_open, f"run: chmod {mode} {place}")


def _make_private(folder: Path) -> None:
    """Make a folder for the owner alone; one that others use already is left as it is."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _OTHERS:
        if any(folder.iterdir()):
            is_open = f"is open to others (mode {mode:o})"
            raise KeyUnsafe(folder, is_open, f"choose an empty folder, or run: chmod 700 {folder}")
        folder.chmod(0o700)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
