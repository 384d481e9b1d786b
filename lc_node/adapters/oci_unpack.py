"""Unpacks the layers of a stranger's image, in a process of its own; the standard library alone.

Every path is resolved by the kernel with the image's root as the root (``openat2(2)``, RESOLVE_IN_ROOT), so that
links lead nowhere else; files are made anew, never written into. Modes are reduced to what a read-only root needs:
who may execute. Owners, times, devices and extended attributes are not the image's to say.
"""

import ctypes
import errno
import json
import os
import resource
import shutil
import signal
import stat
import struct
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from lc_node.adapters.layer_stream import READ_BYTES, LayerStream
from lc_node.adapters.tar_entries import (
    DEPTH_MAX,
    Entry,
    Kind,
    Parts,
    Refused,
    TarReader,
    parts_of,
)

MOUNT_POINTS: Final = ("proc", "dev", "tmp", "lc/in", "lc/out")
"""Folders that a sandbox mounts over: in every root file system, made if the image lacks them."""

HARD_LINKS_MAX: Final = 1_000
"""Hard links that an image may make to one file, which other images may share; a file system has so many only."""

_BLOCK: Final = 4096
_OUR_FAULT: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE})

_SYS_OPENAT2: Final = 437
_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_NO_SYMLINKS: Final = 0x04
_RESOLVE_IN_ROOT: Final = 0x10
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PR_SET_PDEATHSIG: Final = 1
_WHITEOUT: Final = b".wh."
_OPAQUE: Final = b".wh..wh..opq"

_libc = ctypes.CDLL(None, use_errno=True)


class Tree:
    """A root file system that layers are written into, one after the other."""

    def __init__(
        self, root: str, *, bytes_max: int, file_bytes_max: int, entries_max: int
    ) -> None:
        """Write below the folder ``root``, which is there."""
        self._root = os.open(root, _FOLDER)
        self._root_path = root
        self._root_depth = _depth(self._root)
        self._file_bytes_max = file_bytes_max
        self._entries_left = entries_max
        self._bytes_max = bytes_max
        self.bytes = 0
        """What was written, in whole blocks of a disk; what a later layer removes counts too."""
        self._of_this_layer: set[Parts] = set()
        self._opaque: set[int] = set()
        """Inodes of the folders that this layer has made opaque."""
        self._links: dict[int, int] = {}
        """By inode, how many hard links were asked for."""
        self._copies: dict[int, str] = {}
        """By inode, the copy of a file that has all the links a file can have."""

    def start_from(self, other: str) -> None:
        """Begin with all that another tree has; its files are shared, which is safe as none is written into."""
        shutil.copytree(
            other, self._root_path, symlinks=True, copy_function=self._share, dirs_exist_ok=True
        )

    def add_layer(self, read: Callable[[int], bytes]) -> None:
        """Write the entries of one layer.

        Raises:
            Refused: an entry is not allowed.
            OSError: an entry cannot be made where it says.
        """
        self._of_this_layer, self._opaque = set(), set()
        reader = TarReader(read)
        for entry in reader.entries():
            self._count(entry)
            if entry.parts:
                self._add(entry, reader)
            elif entry.kind is not Kind.FOLDER:
                raise Refused(f"a {entry.kind.value} in place of the root")

    def make_mount_points(self) -> None:
        """Make sure that what a sandbox mounts over is there, and is no link to elsewhere."""
        for place in MOUNT_POINTS:
            parts = parts_of(place.encode())
            os.close(self._open_parent((*parts, b"")))
            os.close(self._open(b"/".join(parts), _RESOLVE_NO_SYMLINKS))

    def _count(self, entry: Entry) -> None:
        if entry.size > self._file_bytes_max:
            raise Refused(f"a file of {entry.size} bytes")
        self._spend(entry.size)

    def _spend(self, size: int) -> None:
        """Account for something that takes an inode, and blocks."""
        self._entries_left -= 1
        if self._entries_left < 0:
            raise Refused("too many entries")
        self.bytes += max(_BLOCK, -(-size // _BLOCK) * _BLOCK)
        if self.bytes > self._bytes_max:
            raise Refused(f"more than {self._bytes_max} bytes when unpacked")

    def _share(self, source: str, target: str) -> None:
        """Link a file of another tree, or copy it once if trees that share it have used up its links."""
        found = os.lstat(source)
        try:
            os.link(self._copies.get(found.st_ino, source), target)
        except OSError as error:
            if error.errno != errno.EMLINK:
                raise
            self._spend(found.st_size)
            shutil.copy(source, target)
            self._copies[found.st_ino] = target

    def _add(self, entry: Entry, reader: TarReader) -> None:
        parent = self._open_parent(entry.parts)
        name = entry.parts[-1]
        try:
            if name.startswith(_WHITEOUT):
                self._white_out(parent, entry.parts[:-1], name)
                return
            self._note(entry.parts)
            is_there = _clear(parent, name, keep_folder=entry.kind is Kind.FOLDER)
            match entry.kind:
                case Kind.FILE:
                    _write_file(parent, name, reader.content(), is_program=entry.is_program)
                case Kind.FOLDER:
                    if not is_there:
                        self._make_folder(parent, name)
                case Kind.SYMBOLIC_LINK:
                    os.symlink(entry.link, name, dir_fd=parent)
                case Kind.HARD_LINK:
                    self._link(entry.link, parent, name)
        finally:
            os.close(parent)

    def _note(self, parts: Parts) -> None:
        """Remember what this layer has made: whiteouts are for the layers below it."""
        for length in range(len(parts), 0, -1):
            if parts[:length] in self._of_this_layer:
                return
            self._of_this_layer.add(parts[:length])

    def _white_out(self, parent: int, above: Parts, name: bytes) -> None:
        """Remove what lower layers made: image-spec, ``layer.md``, Whiteouts."""
        if name == _OPAQUE:
            if (inode := os.fstat(parent).st_ino) in self._opaque:
                return  # what is there now is this layer's own
            self._opaque.add(inode)
            for child in os.listdir(parent):
                if (*above, os.fsencode(child)) not in self._of_this_layer:
                    _remove(parent, os.fsencode(child))
            return
        target = name.removeprefix(_WHITEOUT)
        if target in {b"", b".", b".."} or target.startswith(_WHITEOUT):
            raise Refused(f"the whiteout {name!r}")
        if (*above, target) not in self._of_this_layer:
            _clear(parent, target, keep_folder=False)

    def _link(self, target: bytes, parent: int, name: bytes) -> None:
        parts = parts_of(target)
        if not parts:
            raise Refused("a hard link to the root")
        source = self._open_parent(parts)
        try:
            found = os.stat(parts[-1], dir_fd=source, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) and not stat.S_ISLNK(found.st_mode):
                raise Refused("a hard link to what is not a file")
            self._links[found.st_ino] = self._links.get(found.st_ino, 0) + 1
            if self._links[found.st_ino] > HARD_LINKS_MAX:
                raise Refused(f"more than {HARD_LINKS_MAX} hard links to one file")
            self._link_or_copy(parts[-1], source, name, parent)
        finally:
            os.close(source)

    def _link_or_copy(self, name: bytes, folder: int, new: bytes, parent: int) -> None:
        """Link a file, or copy it if trees that share it have used up its links."""
        try:
            os.link(name, new, src_dir_fd=folder, dst_dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if error.errno != errno.EMLINK or not stat.S_ISREG(found.st_mode):
                raise
            self._spend(found.st_size)
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(name, flags, dir_fd=folder), "rb", 0) as file:
                pieces = iter(lambda: file.read(READ_BYTES), b"")
                _write_file(parent, new, pieces, is_program=bool(found.st_mode & 0o100))

    def _open_parent(self, parts: Parts) -> int:
        """Open the folder above a path, making those that are missing."""
        try:
            return self._open(b"/".join(parts[:-1]) or b".")
        except FileNotFoundError:
            parent = self._open_parent(parts[:-1])
        try:
            self._spend(0)  # no entry names this folder, only a path below it
            self._make_folder(parent, parts[-2])
        finally:
            os.close(parent)
        return self._open(b"/".join(parts[:-1]))

    def _make_folder(self, parent: int, name: bytes) -> None:
        """Make a folder, unless links have brought us deeper than any path may say."""
        if _depth(parent) - self._root_depth >= DEPTH_MAX:
            raise Refused(f"a folder more than {DEPTH_MAX} deep")
        os.mkdir(name, 0o755, dir_fd=parent)

    def _open(self, path: bytes, more: int = 0) -> int:
        """Open a folder below the root, whatever links say of it."""
        resolve = _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS | more
        how = struct.pack("=QQQ", _FOLDER, 0, resolve)
        descriptor = _libc.syscall(_SYS_OPENAT2, self._root, path, how, len(how))
        if descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        return int(descriptor)


def _depth(folder: int) -> int:
    """Return how many folders lead to an open one."""
    return os.readlink(f"/proc/self/fd/{folder}").count("/")  # noqa: PTH115 - in a hurry, as above


def _clear(parent: int, name: bytes, *, keep_folder: bool) -> bool:
    """Make room for an entry; True if a folder is there that may stay."""
    try:
        mode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if keep_folder and stat.S_ISDIR(mode):
        return True
    _remove(parent, name)
    return False


def _remove(parent: int, name: bytes) -> None:
    """Remove a file or a folder with all in it; none is deeper than ``DEPTH_MAX``."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
        os.unlink(name, dir_fd=parent)
        return
    folder = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
    try:
        for child in os.listdir(folder):  # noqa: PTH208 - an open folder has no path
            _remove(folder, os.fsencode(child))
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=parent)


def _write_file(parent: int, name: bytes, content: Iterable[bytes], *, is_program: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb", 0) as file:
        for piece in content:
            file.write(piece)
        os.fchmod(file.fileno(), 0o755 if is_program else 0o644)


def unpack(plan: dict[str, Any]) -> dict[str, Any]:
    """Do what a plan says; see ``oci_image`` for its fields.

    Returns:
        ``{"bytes": ...}``, or ``{"refused": why}``, or ``{"failed": number, "why": ...}`` where the disk is at fault.
    """
    limits = plan["limits"]
    place = "the image"
    try:
        tree = Tree(
            plan["root"],
            bytes_max=limits["unpacked_bytes"],
            file_bytes_max=limits["file_bytes"],
            entries_max=limits["entries"],
        )
        if plan["start_from"] is not None:
            tree.start_from(plan["start_from"])
        for number, layer in enumerate(plan["layers"], plan["first_layer"]):
            place = f"layer {number}"
            _unpack_layer(tree, layer, limits)
        place = "the image"
        tree.make_mount_points()
    except Refused as error:
        return {"refused": f"{place} has {error}"}
    except MemoryError:
        return {"refused": f"{place} takes too much memory"}
    except OSError as error:
        if error.errno in _OUR_FAULT:
            return {"failed": error.errno, "why": str(error)}
        return {"refused": f"{place} contradicts itself: {error}"}
    return {"bytes": tree.bytes}


def _unpack_layer(tree: Tree, layer: dict[str, Any], limits: dict[str, int]) -> None:
    with open(layer["path"], "rb") as file:  # noqa: PTH123 - pathlib would double our start
        stream = LayerStream(
            file,
            gzip=layer["gzip"],
            bytes_max=2 * limits["unpacked_bytes"],
            ratio_max=limits["ratio"],
        )
        tree.add_layer(stream.read)
        if (found := stream.finish()) != layer["diff_id"]:
            raise Refused(f"the digest {found}, not {layer['diff_id']} as its configuration says")


def main() -> None:
    """Read a plan from stdin, limit ourselves, unpack, and write the result to stdout."""
    plan = json.load(sys.stdin)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    limits = plan["limits"]
    for number, value in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(number, (value, value))
    seconds = limits["cpu_seconds"]
    resource.setrlimit(
        resource.RLIMIT_CPU, (seconds, seconds + 1)
    )  # a signal first, that says why
    os.umask(0o022)
    json.dump(unpack(plan), sys.stdout)
