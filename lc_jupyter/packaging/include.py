"""Files that the user adds by name: at their place beside the notebook, unchanged."""

import fnmatch
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.errors import IncludeRefused
from lc_jupyter.packaging.files import LayerPlan, SourceFile, source_file, walk
from lc_jupyter.packaging.ignoring import IGNORE_FILE, Ignored, read_ignored
from lc_jupyter.runner.layout import PAYLOAD, WORK
from lc_node.oci.secret_scan import scan_text

SCANNED_BYTES_MAX: Final = 1024 * 1024
"""Larger files are data; keys and passwords live in small ones."""

_TAKEN: Final = frozenset(
    {"bin", "dev", "etc", "lc", "lib", "lib64", "opt", "proc", "run", "sbin", "sys", "usr", "var"}
)
"""Folders of the image's root that are not the user's."""


def include_layer(
    paths: Iterable[Path],
    folder: Path,
    exclude: Iterable[str] = (),
    ignored: Ignored | None = None,
) -> LayerPlan | None:
    """Return a layer with the files, those of whole folders included; nothing without paths.

    Args:
        paths: relative to ``folder``, or absolute; files outside it keep their absolute path.
        folder: the notebook's.
        exclude: patterns of names or relative paths to leave out, as a shell writes them.
        ignored: what stays at home; that of ``folder`` if not given.

    Raises:
        IncludeRefused: a path is not there, is to stay at home, or its place in the image is not free.
        BadIgnoreFile: ``.lcignore`` cannot be read.
    """
    ignored = ignored or read_ignored(folder)
    patterns = tuple(exclude)
    files: dict[str, SourceFile] = {}
    for path in paths:
        source = (folder / path).absolute()
        if not source.exists():
            where = (
                "" if path.is_absolute() else f" in {folder}: write its path from there, or whole"
            )
            raise IncludeRefused(str(path), f"there is no such file{where}")
        if ignored.covers(source):
            raise IncludeRefused(
                str(path), f"{IGNORE_FILE} says that it stays here; take its line out"
            )
        for file in _files_at(source, folder.absolute(), str(path), patterns):
            if not ignored.covers(file.source):
                files[file.path] = file
    if not files:
        return None
    chosen = tuple(sorted(files.values(), key=lambda file: file.path))
    return LayerPlan(title="included files", files=chosen, compress=False, bytecode=False)


def scan_files(files: Iterable[SourceFile]) -> Iterator[tuple[str, str]]:
    """Yield ``(path, rule)`` for files with something that looks secret."""
    for file in files:
        if file.size <= SCANNED_BYTES_MAX:
            data = file.source.read_bytes()
            if b"\0" not in data:
                yield from scan_text(file.source.name, data.decode("utf-8", "replace"))


def _files_at(
    source: Path, folder: Path, asked: str, patterns: tuple[str, ...]
) -> Iterator[SourceFile]:
    relative = list(walk(source)) if source.is_dir() else [""]
    for path in relative:
        whole = source / path
        name = path or source.name
        if any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(whole.name, p) for p in patterns):
            continue
        file = source_file(_place_of(whole, folder, asked), whole, verbatim=True)
        if file:
            yield file


def _place_of(source: Path, folder: Path, asked: str) -> str:
    if source.is_relative_to(folder):
        place = f"{WORK}/{source.relative_to(folder).as_posix()}"
        if place.startswith(f"{WORK}/{PAYLOAD.partition('/')[0]}/"):
            raise IncludeRefused(asked, "the job's own files lie there; rename the folder")
        return place.lstrip("/")
    if ".." in source.parts:
        return _place_of(source.resolve(), folder, asked)
    if source.parts[1] in _TAKEN:
        raise IncludeRefused(
            asked, f"/{source.parts[1]} is the system's; copy the file to {folder}"
        )
    return source.as_posix().lstrip("/")
