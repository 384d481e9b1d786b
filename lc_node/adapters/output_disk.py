"""A disk of its own for what one run puts into /lc/out: as large as it may be, and not a byte of memory.

A small file system is made in a file of the node's, whose room on the host's disk is taken at once: a run that
begins can write all that it may. The launcher, which is root in a mount namespace of its own, mounts it there and
removes the file's name, so that the kernel frees everything with the run's last process, also if the node is
killed. Linux mounts files by loop devices (loop(4)), which takes root.
"""

import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import Limits, SandboxFailed

OUT_MEMORY_MAX: Final = ByteCount(64 * 1024 * 1024)
"""A run that may put out more than this does so on a disk, where there can be one."""

DISK_RESERVE: Final = ByteCount(1024 * 1024 * 1024)
"""What an output leaves free on the host's disk: chain and votes must find room."""

_LOOP_CONTROL: Final = Path("/dev/loop-control")
_SUFFIX: Final = ".ext4"
_MAKE_SECONDS: Final = 30
_BLOCK_BYTES: Final = 4096
_INODE_BYTES: Final = 256
_HELD_BACK: Final = 40
"""ext4 keeps a fiftieth for itself (s_resv_clusters, at most 16 MiB); its maps take less than the rest of this part."""
_MAPS_BYTES: Final = 1024 * 1024
_OWN_INODES: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDisks:
    """Makes disks for runs in one folder of the host."""

    folder: Path
    program: str
    """``mke2fs(8)``."""

    def make(self, limits: Limits, user: int) -> Path:
        """Return a new file with a file system on which ``user`` may fill ``limits.out_bytes``; blocks.

        Raises:
            SandboxFailed: the host's disk has no room for it.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / f"{secrets.token_hex(8)}{_SUFFIX}"
        try:
            self._take_room(path, _size(limits))
            self._make_file_system(path, limits.inodes, user)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    def reap(self) -> None:
        """Remove what an earlier life of the node had made and never used."""
        for leftover in self.folder.glob(f"*{_SUFFIX}"):
            leftover.unlink(missing_ok=True)

    def _take_room(self, path: Path, size: int) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < size + DISK_RESERVE:
            raise SandboxFailed(
                f"{self.folder} has {free} bytes free; the run's outputs may take {size}, and "
                f"{DISK_RESERVE} must stay free: make room on that disk"
            )
        with path.open("xb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise SandboxFailed(f"no room for a run's outputs: {error}") from error

    def _make_file_system(self, path: Path, inodes: int, user: int) -> None:
        options = f"lazy_itable_init=1,nodiscard,root_owner={user}:{user}"
        features = "^has_journal,^resize_inode"  # nothing of it is ever read after a crash
        words = ["-q", "-F", "-t", "ext4", "-m", "0", "-b", str(_BLOCK_BYTES)]
        words += [
            "-I",
            str(_INODE_BYTES),
            "-N",
            str(inodes + _OWN_INODES),
            "-O",
            features,
            "-E",
            options,
        ]
        try:
            subprocess.run(  # noqa: S603  # a program of the system, and our own words
                [self.program, *words, str(path)],
                check=True,
                capture_output=True,
                timeout=_MAKE_SECONDS,
                env={"MKE2FS_CONFIG": os.devnull},
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise SandboxFailed(f"no disk for a run's outputs: {error}") from error


def find_output_disks(folder: Path | None) -> OutputDisks | None:
    """Return what makes disks in ``folder``; None where that cannot be done: it takes root, and mke2fs."""
    program = shutil.which("mke2fs", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if folder is None or program is None or os.geteuid() != 0 or not _LOOP_CONTROL.exists():
        return None
    return OutputDisks(folder=folder, program=program)


def needs_disk(limits: Limits) -> bool:
    """Return whether a run's outputs are too large to lie in memory."""
    return limits.out_bytes > OUT_MEMORY_MAX


def _size(limits: Limits) -> int:
    """Return how large a disk is that has room for ``out_bytes`` of files."""
    inner = limits.out_bytes + limits.out_bytes // _HELD_BACK
    whole = inner + (limits.inodes + _OWN_INODES) * _INODE_BYTES + _MAPS_BYTES
    return -(-whole // _BLOCK_BYTES) * _BLOCK_BYTES
