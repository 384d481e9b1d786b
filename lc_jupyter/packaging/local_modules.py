"""The modules that a job needs: some come from distributions, the others lie here and are copied."""

import fnmatch
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.distributions import Catalogue
from lc_jupyter.packaging.elf import is_elf
from lc_jupyter.packaging.environment import SITE_NAMES, Environment
from lc_jupyter.packaging.errors import ZippedModule
from lc_jupyter.packaging.files import SourceFile, source_file, walk
from lc_jupyter.packaging.ignoring import Ignored, read_ignored
from lc_jupyter.packaging.imports import imported_by_text, top_level
from lc_jupyter.packaging.places import LOCAL_ROOT

ALWAYS_EXCLUDED: Final = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "id_rsa*",
    "id_ed25519*",
    ".venv",
    "venv",
)
"""Names that are never copied with a package: keys, and environments within projects."""


@dataclass
class Needed:
    """What a set of imports comes to."""

    distributions: set[tuple[str, str]] = field(default_factory=set)
    """Pairs of a distribution's name and the module that needs it."""
    local: dict[str, SourceFile] = field(default_factory=dict)
    """Files of local modules, by their path in the image."""
    editable: set[str] = field(default_factory=set)
    """Distributions whose sources are local."""
    unresolved: set[str] = field(default_factory=set)
    """Modules found nowhere: often optional imports."""


class Resolver:
    """Follows imports: into distributions by their metadata, into local modules by reading them."""

    def __init__(
        self,
        environment: Environment,
        catalogue: Catalogue,
        exclude: Iterable[str] = (),
        ignored: Ignored | None = None,
    ) -> None:
        self._environment = environment
        self._catalogue = catalogue
        self._exclude = (*ALWAYS_EXCLUDED, *exclude)
        self._ignored = ignored or read_ignored(environment.folder)
        self._waiting: list[tuple[str, str]] = []
        self._seen: set[str] = set()
        self.needed = Needed()

    def add(self, modules: Iterable[str], needed_by: str) -> None:
        """Follow the modules, and what local ones among them import in turn.

        Raises:
            ZippedModule: one lies in an archive.
        """
        self._waiting.extend((module, needed_by) for module in sorted(modules))
        while self._waiting:
            module, user = self._waiting.pop()
            if module not in self._seen:
                self._seen.add(module)
                self._resolve(module, user)

    def _resolve(self, module: str, needed_by: str) -> None:
        owners = self._catalogue.owners(module)
        self.needed.distributions.update((owner.name, needed_by) for owner in owners)
        if owners:
            return
        spec = _spec_of(top_level(module))
        if spec is None:
            self.needed.unresolved.add(top_level(module))
        elif spec.origin is None and spec.submodule_search_locations is not None:
            self._resolve_namespace(module, [Path(p) for p in spec.submodule_search_locations])
        elif spec.origin is not None and self._is_local(Path(spec.origin)):
            self._copy_spec(top_level(module), Path(spec.origin), spec)

    def _resolve_namespace(self, module: str, folders: list[Path]) -> None:
        """Copy from a package without ``__init__`` only the parts that are imported."""
        parts = module.split(".")
        for depth in range(1, len(parts)):
            place = "/".join(parts[: depth + 1])
            for folder in folders:
                found = folder / parts[depth]
                if (found / "__init__.py").is_file():
                    self._copy_folder(place, found)
                    return
                if found.with_suffix(".py").is_file():
                    self._copy_file(f"{place}.py", found.with_suffix(".py"))
                    return
            folders = [folder / parts[depth] for folder in folders]

    def _copy_spec(self, name: str, origin: Path, spec: ModuleSpec) -> None:
        if archive := _archive_around(origin):
            raise ZippedModule(name, archive.name)
        if spec.submodule_search_locations is None:
            self._copy_file(origin.name, origin)
        else:
            self._copy_folder(name, origin.parent)

    def _copy_folder(self, place: str, folder: Path) -> None:
        for path in walk(folder):
            if not self._is_excluded(path) and not self._ignored.covers(folder / path):
                self._copy_file(f"{place}/{path}", folder / path)

    def _copy_file(self, place: str, source: Path) -> None:
        path = f"{LOCAL_ROOT}/{place}"
        file = source_file(path, source, verbatim=True)
        if file is None or path in self.needed.local:
            return
        if is_elf(source):
            file = replace(file, strip=True, verbatim=False)  # it may say where it was built
        self.needed.local[path] = file
        owner = self._catalogue.editable_owner(source.resolve())
        if owner:
            self.needed.editable.add(owner.name)
            self.needed.distributions.add((owner.name, place))
        if source.suffix == ".py":
            text = source.read_text(encoding="utf-8", errors="replace")
            self._waiting.extend((name, place) for name in sorted(imported_by_text(text)))

    def _is_local(self, origin: Path) -> bool:
        """Tell whether a module is the user's own, and neither of Python nor of a distribution."""
        path = origin.resolve()
        inside_python = path.is_relative_to(self._environment.stdlib) and not any(
            part in SITE_NAMES for part in path.parts
        )
        return path.suffix in {".py", ".so"} and not inside_python

    def _is_excluded(self, path: str) -> bool:
        parts = path.split("/")
        return any(
            fnmatch.fnmatch(path, pattern) or any(fnmatch.fnmatch(part, pattern) for part in parts)
            for pattern in self._exclude
        )


def _archive_around(path: Path) -> Path | None:
    """Return the file that a path leads through, if it does; zipimport makes such paths."""
    return next((above for above in path.parents if above.is_file()), None)


def _spec_of(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        # Modules made by hand have no spec; finders of broken installs raise.
        return None
