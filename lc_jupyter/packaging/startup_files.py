"""``.pth`` files: folders that they add to the path of modules, and code that they run when Python starts (site)."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.distributions import Installed

_CODE: Final = ("import ", "import\t")
"""A line that begins so is executed, every other line is a folder (``site.addpackage``)."""

_MAPPING: Final = re.compile(r"^MAPPING(?:\s*:[^=]*)?\s*=\s*(\{.*?\})", re.MULTILINE | re.DOTALL)
"""Written by setuptools into the finder of an editable install: modules and where their sources lie."""

_NOT_MODULES: Final = frozenset({"setup", "conftest", "tests", "test", "docs", "examples"})


def modules_of_editable(installed: Installed) -> frozenset[str]:
    """Return the top-level modules that an editable install brings, by how it is installed; empty if it is not."""
    if installed.source_folder is None:
        return frozenset()
    found = set(installed.source_modules)
    for path in installed.files:
        file = installed.site / path
        if path.endswith(".pth"):
            for folder in _folders(file):
                found.update(_modules_in(folder))
        elif path.startswith("__editable__") and path.endswith(".py"):
            found.update(_mapped(file))
    return frozenset(found)


def foreign_startup_code(site: Path, installed: Iterable[Installed]) -> Iterator[Path]:
    """Yield ``.pth`` files of a folder that run code at start and that no distribution lists.

    Whoever put them there, a snapshot does not take them along: nobody can say what else they need.
    """
    listed = {one.site / path for one in installed for path in one.files if path.endswith(".pth")}
    for file in sorted(site.glob("*.pth")):
        if file not in listed and any(line.startswith(_CODE) for line in _lines(file)):
            yield file


def _folders(file: Path) -> Iterator[Path]:
    for line in _lines(file):
        if line and not line.startswith(("#", *_CODE)):
            folder = file.parent / line
            if folder.is_dir():
                yield folder


def _lines(file: Path) -> list[str]:
    try:
        return [line.rstrip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return []


def _modules_in(folder: Path) -> Iterator[str]:
    for path in folder.iterdir():
        name = path.name.partition(".")[0]
        is_module = path.suffix in {".py", ".so"} or (path / "__init__.py").is_file()
        if is_module and name.isidentifier() and name not in _NOT_MODULES:
            yield name


def _mapped(file: Path) -> Iterator[str]:
    found = _MAPPING.search(file.read_text(encoding="utf-8"))
    mapping = ast.literal_eval(found[1]) if found else {}
    for name in mapping:
        yield str(name).partition(".")[0]
