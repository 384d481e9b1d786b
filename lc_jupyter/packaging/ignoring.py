"""The files that never leave the machine, because ``.lcignore`` beside the notebook says so, in the words of a ``.gitignore``."""

from pathlib import Path
from typing import Final

from pathspec import GitIgnoreSpec

from lc_jupyter.packaging.errors import BadIgnoreFile

IGNORE_FILE: Final = ".lcignore"


class Ignored:
    """Answers whether a file stays at home."""

    def __init__(self, folder: Path, spec: GitIgnoreSpec) -> None:
        """Take patterns relative to the notebook's folder."""
        self._folder = folder
        self._spec = spec

    def covers(self, path: Path) -> bool:
        """Tell whether a file is left out; never one outside the folder."""
        return path.is_relative_to(self._folder) and self._spec.match_file(
            path.relative_to(self._folder).as_posix()
        )


def read_ignored(folder: Path) -> Ignored:
    """Return what the file of a folder says; nothing is ignored where there is none.

    Raises:
        BadIgnoreFile: a line is no pattern.
    """
    path = folder.absolute() / IGNORE_FILE
    lines = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    )
    try:
        return Ignored(folder.absolute(), GitIgnoreSpec.from_lines(lines))
    except ValueError as error:
        raise BadIgnoreFile(str(path), str(error)) from error
