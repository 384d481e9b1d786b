"""A disk for one node that is soon full, and has room again when a test wishes."""

import io
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MEBIBYTES: Final = 24


class SmallDisk:
    """A mounted disk of a few megabytes."""

    def __init__(self, folder: Path) -> None:
        """Fill or empty the disk that is mounted at ``folder``."""
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._filler.open("ab", buffering=0) as file:
            for size in (1024 * 1024, 4096, 1):
                _write_until_full(file, bytes(size))

    def make_room(self) -> None:
        """Give back what was taken, if anything was."""
        self._filler.unlink(missing_ok=True)


@contextmanager
def mounted(folder: Path, mebibytes: int = MEBIBYTES) -> Iterator[SmallDisk]:
    """Lend a disk that is mounted at a new folder; only root can."""
    folder.mkdir()
    options = f"size={mebibytes}m,mode=0700"
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["/bin/umount", "--lazy", folder], check=True)


def _write_until_full(file: io.FileIO, data: bytes) -> None:
    with suppress(OSError):
        while True:
            file.write(data)
