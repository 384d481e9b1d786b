"""What a layer is made of before it is read: files of this machine and their places in the image."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lc_node.oci.layers import FILE_MODE, PROGRAM_MODE, Entry

JUNK: Final = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".ipynb_checkpoints", "node_modules"}
)
JUNK_ENDINGS: Final = (".pyc", ".pyo", ".a", ".o")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of this machine and its place in the image, relative to the root."""

    path: str
    source: Path
    size: int
    mtime_ns: int
    program: bool
    strip: bool = False
    """Leave out what only a debugger reads."""
    verbatim: bool = False
    """The user's own file: not a byte is changed."""

    @property
    def mode(self) -> int:
        """0755 for programs, else 0644, whatever this machine says beyond that."""
        return PROGRAM_MODE if self.program else FILE_MODE


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """One layer to be: its title and what it holds."""

    title: str
    files: tuple[SourceFile, ...] = ()
    entries: tuple[Entry, ...] = field(default=(), repr=False)
    """What is not a file here: folders, links, small files that we write."""
    compress: bool = True
    """Off for the user's own files: nodes then fetch only the parts of the layer that changed."""
    bytecode: bool = True
    """Add bytecode beside the modules."""

    @property
    def bytes_planned(self) -> int:
        """Size of the files as they lie here, for sorting and for showing."""
        return sum(file.size for file in self.files)


def source_file(
    path: str, source: Path, *, strip: bool = False, verbatim: bool = False
) -> SourceFile | None:
    """Describe a file, links followed; nothing if it is gone or no regular file."""
    try:
        status = source.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return SourceFile(
        path=path,
        source=source,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        program=bool(status.st_mode & stat.S_IXUSR),
        strip=strip,
        verbatim=verbatim,
    )


def walk(folder: Path, skip: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the paths of files below a folder, relative, without what no image needs.

    Args:
        folder: where to begin.
        skip: names of folders to leave out at any depth, beside the usual ones.
    """
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in JUNK and name not in skip)
        for name in sorted(names):
            if not name.endswith(JUNK_ENDINGS):
                yield (Path(root) / name).relative_to(folder).as_posix()
