"""Which distributions are installed, which modules are theirs, and what they require."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from lc_jupyter.packaging.errors import DistributionMissing
from lc_jupyter.packaging.files import walk

_REQUIREMENT: Final = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA: Final = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]|['"]([^'"]+)['"]\s*==\s*extra""")
_MODULE_ENDINGS: Final = (".py", ".so")
_SHARED: Final = re.compile(
    r"(?:\.\./){3}(share/(?!man/|doc/|jupyter/|applications/|icons/|bash-completion/).*|lib/lib[^/]+\.so[^/]*)"
)
_NOT_SHIPPED: Final = frozenset({"direct_url.json", "INSTALLER", "REQUESTED", "RECORD"})
"""Where and how it was installed here, which is nobody's business; RECORD is written anew."""


def normalized(name: str) -> str:
    """Return a distribution's name as names are compared (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class Installed:
    """A distribution on this machine."""

    name: str
    """Normalized."""
    version: str
    site: Path
    """The folder that its paths are relative to."""
    found: metadata.Distribution

    @cached_property
    def has_record(self) -> bool:
        """Whether it lists its files; what Debian installs does not always."""
        return bool(self.found.read_text("RECORD"))

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths relative to ``site``, of files that exist; bytecode left out."""
        record = self.found.read_text("RECORD")
        listed = _recorded(record) if record else self._guessed()
        return tuple(sorted({path for path in listed if _is_wanted(path)}))

    @cached_property
    def shared_data(self) -> tuple[str, ...]:
        """Data that it put into ``share``, and libraries into ``lib``: paths relative to the prefix."""
        rows = _recorded(self.found.read_text("RECORD") or "")
        inside = (_SHARED.fullmatch(path) for path in rows)
        return tuple(sorted(match[1] for match in inside if match))

    @cached_property
    def modules(self) -> frozenset[str]:
        """Names of its top-level modules and packages."""
        return frozenset(filter(None, map(_module_of, self.files)))

    @cached_property
    def source_folder(self) -> Path | None:
        """Where the sources of an editable install lie (PEP 610), nothing for others."""
        origin = json.loads(self.found.read_text("direct_url.json") or "{}")
        if not origin.get("dir_info", {}).get("editable"):
            return None
        return Path(unquote(urlsplit(origin["url"]).path))

    @cached_property
    def source_modules(self) -> frozenset[str]:
        """Names of the top-level modules of an editable install, as far as its metadata tell."""
        listed = (self.found.read_text("top_level.txt") or "").split()
        return frozenset(listed or [self.name.replace("-", "_")])

    def required(self, extras: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield names and extras of what it requires.

        Environment markers are not evaluated: what is required for another platform and yet installed
        here costs some bytes and does no harm. Extras are.
        """
        wanted = {normalized(extra) for extra in extras}
        for text in self.found.requires or ():
            head, _, marker = text.partition(";")
            asked = {normalized(a or b) for a, b in _EXTRA.findall(marker)}
            match = _REQUIREMENT.match(head)
            if match and (not asked or asked & wanted):
                inner = (match[2] or "").split(",")
                yield normalized(match[1]), frozenset(e.strip() for e in inner if e.strip())

    def _guessed(self) -> Iterator[str]:
        """Yield files of a distribution without RECORD, as Debian installs them, by its module names."""
        names = (self.found.read_text("top_level.txt") or self.name.replace("-", "_")).split()
        for name in names:
            folder = self.site / name
            if folder.is_dir():
                yield from (f"{name}/{path}" for path in walk(folder))
            yield from (path.name for path in self.site.glob(f"{name}.*") if path.is_file())
        info = self._info_folder()
        if info and info.is_dir():
            yield from (f"{info.name}/{path}" for path in walk(info))

    def _info_folder(self) -> Path | None:
        for ending in ("dist-info", "egg-info"):
            for path in self.site.glob(f"*.{ending}"):
                if normalized(path.name).startswith(f"{self.name}-{normalized(self.version)}"):
                    return path
        return None


class Catalogue:
    """The distributions found on a search path, by name and by module."""

    def __init__(self, sites: Iterable[Path]) -> None:
        self._by_name: dict[str, Installed] = {}
        for site in sites:
            for found in metadata.distributions(path=[str(site)]):
                said = found.metadata  # parsed anew whenever it is asked for
                if said["Name"]:
                    name = normalized(said["Name"])
                    installed = Installed(name, said["Version"], site, found)
                    # The first folder of the path wins, as it does for import.
                    self._by_name.setdefault(name, installed)

    def __iter__(self) -> Iterator[Installed]:
        """Yield all, by name."""
        return iter(sorted(self._by_name.values(), key=lambda found: found.name))

    def get(self, name: str) -> Installed | None:
        """Return a distribution by any spelling of its name."""
        return self._by_name.get(normalized(name))

    def owners(self, module: str) -> tuple[Installed, ...]:
        """Return the distributions that a dotted module comes from; several share a namespace package."""
        parts = module.split(".")
        owners = self._by_module.get(parts[0], [])
        shared = len(owners) > 1 or not any(
            _holds(owner, f"{parts[0]}/__init__") for owner in owners
        )
        if len(parts) == 1 or not shared:
            return tuple(owners)
        for depth in range(len(parts), 1, -1):
            stem = "/".join(parts[:depth])
            inside = tuple(owner for owner in owners if _holds(owner, stem))
            if inside:
                return inside
        # One file as a top-level module, or a part of the namespace that is not in any distribution.
        return tuple(owner for owner in owners if _holds(owner, parts[0], file_only=True))

    def editable_owner(self, source: Path) -> Installed | None:
        """Return the editable install whose sources lie around a file."""
        for installed in self:
            folder = installed.source_folder
            if folder and source.is_relative_to(folder.resolve()):
                return installed
        return None

    def closure(self, roots: Iterable[tuple[str, str]]) -> tuple[Installed, ...]:
        """Return the roots and what they require, as far as it is installed, by name.

        Args:
            roots: pairs of a name (extras in brackets are honoured) and who needs it.

        Raises:
            DistributionMissing: a root is not installed.
        """
        seen: dict[tuple[str, frozenset[str]], Installed] = {}
        waiting = [self._root(text, needed_by) for text, needed_by in roots]
        while waiting:
            name, extras = waiting.pop()
            installed = self._by_name.get(name)
            if installed and (name, extras) not in seen:
                seen[name, extras] = installed
                waiting.extend(installed.required(extras))
        return tuple(sorted(set(seen.values()), key=lambda found: found.name))

    def _root(self, text: str, needed_by: str) -> tuple[str, frozenset[str]]:
        match = _REQUIREMENT.fullmatch(text)
        if not match or normalized(match[1]) not in self._by_name:
            raise DistributionMissing(text, needed_by)
        inner = (match[2] or "").split(",")
        return normalized(match[1]), frozenset(e.strip() for e in inner if e.strip())

    @cached_property
    def _by_module(self) -> dict[str, list[Installed]]:
        found: dict[str, list[Installed]] = {}
        for installed in self:
            for module in sorted(installed.modules):
                found.setdefault(module, []).append(installed)
        return found


def record_of(paths: Iterable[str]) -> bytes:
    """Return a RECORD of what the image holds, without hashes: the files have been moved and cleaned."""
    return "".join(f"{path},,\n" for path in sorted(paths)).encode()


def _recorded(record: str) -> Iterator[str]:
    return (row[0] for row in csv.reader(record.splitlines()) if row)


def _is_wanted(path: str) -> bool:
    if path.endswith(".pyc") or path.startswith("/"):
        return False
    *folders, name = path.split("/")
    info = name in _NOT_SHIPPED and bool(folders) and folders[-1].endswith(".dist-info")
    return not info and ".." not in folders and "__pycache__" not in folders


def _module_of(path: str) -> str:
    first, slash, rest = path.partition("/")
    if slash:
        hidden = first.endswith((".dist-info", ".egg-info", ".libs", ".data"))
        return first if first.isidentifier() and rest and not hidden else ""
    return first.partition(".")[0] if first.endswith(_MODULE_ENDINGS) else ""


def _holds(installed: Installed, stem: str, *, file_only: bool = False) -> bool:
    starts = (f"{stem}.",) if file_only else (f"{stem}/", f"{stem}.")
    return any(path.startswith(starts) for path in installed.files)
