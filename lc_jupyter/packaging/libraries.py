"""The shared libraries that compiled files need, followed as the system's loader follows them (ld.so(8))."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.elf import Needs, is_elf, read_needs
from lc_jupyter.packaging.files import SourceFile
from lc_jupyter.packaging.places import LIBRARIES

OPENED_BY_NAME: Final = ("libgcc_s.so.1", "libnss_files.so.2", "libnss_dns.so.2", "libstdc++.so.6")
"""Loaded at run time, so in nobody's list: to cancel a thread, to look a user up. The last one is not, but
nearly every compiled distribution wants it, so it lies in the interpreter's layer, which seldom changes."""

DRIVER: Final = re.compile(
    r"lib(cuda|nvcuvid|nvidia-[a-z0-9-]+|cudadebugger|nvoptix|amdhip64|ze_loader)\.so(\.|$)"
)
"""Belongs to the kernel of the machine that runs the image, never into the image."""

COMPANIONS: Final = {"libmkl_rt.so": ("libmkl_*.so*", "libiomp5.so")}
"""Libraries that are the front of others, chosen by the processor at run time, so in nobody's list."""

_LD_CONF: Final = Path("/etc/ld.so.conf")
_TRUSTED: Final = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """Libraries and loaders by their place in the image, and names that were found nowhere."""

    found: Mapping[str, Path]
    missing: Mapping[str, str]
    """What is missing, and one file that needs it; often a plugin that nobody loads."""

    def note(self) -> dict[str, dict[str, str]]:
        """Return it as JSON has it."""
        found = {place: str(path) for place, path in self.found.items()}
        return {"found": found, "missing": dict(self.missing)}

    @classmethod
    def of_note(cls, note: object) -> "Libraries":
        """Return what ``note`` returned once; of anything else, nothing."""
        known = note if isinstance(note, dict) else {"found": {}, "missing": {}}
        found = {str(place): Path(path) for place, path in known["found"].items()}
        return cls(found=found, missing=known["missing"])


class Closure:
    """Follows what files need until nothing new turns up."""

    def __init__(self, machine: str, bundled: Iterable[SourceFile]) -> None:
        """Begin.

        Args:
            machine: ``x86_64``, part of the names of Debian's library folders.
            bundled: every compiled file of the image beside those that this finds.
        """
        self._trusted = frozenset((*_TRUSTED, *(f"{t}/{machine}-linux-gnu" for t in _TRUSTED)))
        self._folders = tuple(_system_folders(sorted(self._trusted)))
        files = list(bundled)
        self._bundled = {os.path.realpath(file.source) for file in files}
        self._names = {file.source.name for file in files}
        self._found: dict[str, Path] = {}
        self._missing: dict[str, str] = {}
        self._seen: set[str] = set()

    def follow(
        self, files: Iterable[Path], names: Iterable[str] = (), folders: Iterable[str] = ()
    ) -> Libraries:
        """Return what the files need, and the libraries of these names if they are to be had.

        Args:
            files: programs and libraries.
            names: what is opened by name.
            folders: where to look for these first: an interpreter may bring its own.
        """
        waiting = list(files)
        for name in names:
            folder = self._search(name, (*folders, *self._folders))
            if folder:
                waiting.extend(self._take(name, folder))
        while waiting:
            path = waiting.pop()
            if str(path) not in self._seen:
                self._seen.add(str(path))
                waiting.extend(self._needed_by(path, read_needs(path)))
        return Libraries(
            found=dict(sorted(self._found.items())), missing=dict(sorted(self._missing.items()))
        )

    def _needed_by(self, path: Path, needs: Needs) -> Iterator[Path]:
        origin = str(path.parent)
        own = [f.replace("$ORIGIN", origin).replace("${ORIGIN}", origin) for f in needs.folders]
        if needs.loader:
            self._found[needs.loader.lstrip("/")] = Path(needs.loader)
        for name in needs.libraries:
            if name in self._seen or DRIVER.match(name):
                continue
            found = self._search(name, own)
            if found is None and name in self._names:
                continue  # It is loaded already when this is: packages preload their own libraries.
            found = found or self._search(name, self._folders)
            if found:
                yield from self._take(name, found)
            else:
                self._missing.setdefault(name, path.name)

    def _search(self, name: str, folders: Iterable[str]) -> str | None:
        return next((f for f in folders if f and os.path.isfile(f"{f}/{name}")), None)  # noqa: PTH113 (called 10,000 times)

    def _take(self, name: str, folder: str) -> Iterator[Path]:
        path = Path(folder, name)
        if os.path.realpath(path) in self._bundled:
            return
        self._seen.add(name)
        yield from self._companions(name, folder)
        # The loader looks into its trusted folders without a cache; any other library goes to ours.
        place = os.path.realpath(folder) if folder in self._trusted else LIBRARIES
        if not self._is_loader(name):
            self._found[f"{place.lstrip('/')}/{name}"] = path
        yield path

    def _companions(self, name: str, folder: str) -> Iterator[Path]:
        """Take along what a library opens by name when it is used."""
        for opener, patterns in COMPANIONS.items():
            if name.startswith(opener):
                for pattern in patterns:
                    for path in sorted(Path(folder).glob(pattern)):
                        if path.name not in self._seen:
                            yield from self._take(path.name, folder)

    def _is_loader(self, name: str) -> bool:
        return name.startswith("ld-linux")


def compiled(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Return the files that are programs or shared libraries."""
    maybe = (f for f in files if f.program or ".so" in f.source.name)
    return [file for file in maybe if is_elf(file.source)]


def _system_folders(trusted: Iterable[str]) -> Iterator[str]:
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    yield from _configured(_LD_CONF)
    yield from trusted


def _configured(path: Path) -> Iterator[str]:
    """Yield the folders of ``ld.so.conf`` and of the files that it includes."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.partition("#")[0].strip()
        if text.startswith("include"):
            pattern = Path(text.removeprefix("include").strip())
            for inner in sorted(pattern.parent.glob(pattern.name)):
                yield from _configured(inner)
        elif text:
            yield text
