"""The running interpreter as packaging sees it: where it and its packages lie on this machine."""

import os
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.errors import UnsupportedPlatform
from lc_jupyter.packaging.places import LOCAL_ROOT, PYTHON_ROOT, VENV_ROOT

ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""Machine names of Linux, and the same in OCI (image-spec, config.md, after GOARCH)."""

SITE_NAMES: Final = frozenset({"site-packages", "dist-packages"})
_PRIVATE_PARTS_MIN: Final = 3
"""``/home/name`` tells a name, ``/root`` does not."""

_SYSTEMS: Final = frozenset({"usr", "lib", "lib64", "bin", "etc", "opt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An interpreter and where it looks for modules."""

    executable: Path
    """The program itself, links followed."""
    version: str
    """``3.11``."""
    machine: str
    prefix: Path
    base_prefix: Path
    stdlib: Path
    dynload: Path
    """Extension modules of the standard library."""
    paths: tuple[Path, ...]
    """``sys.path``: folders with distributions, and folders with modules of the user."""
    folder: Path
    """The notebook's."""
    home: Path

    @classmethod
    def current(cls) -> "Environment":
        """Describe the interpreter that runs this.

        Raises:
            UnsupportedPlatform: not CPython on Linux, or a processor that no image names.
        """
        machine = platform.machine()
        if sys.platform != "linux" or machine not in ARCHITECTURES:
            raise UnsupportedPlatform(f"{platform.system()} on {machine}")
        return cls.anywhere()

    @classmethod
    def anywhere(cls) -> "Environment":
        """Describe the interpreter that runs this, which need not be one that can be copied into an image."""
        stdlib = Path(os.__file__).resolve().parent
        return cls(
            executable=Path(sys.executable).resolve(),
            version=f"{sys.version_info.major}.{sys.version_info.minor}",
            machine=platform.machine(),
            prefix=Path(sys.prefix),
            base_prefix=Path(sys.base_prefix),
            stdlib=stdlib,
            dynload=_dynload(stdlib),
            paths=_search_paths(stdlib),
            folder=Path.cwd(),
            home=Path.home(),
        )

    @property
    def site_folders(self) -> tuple[Path, ...]:
        """The folders of ``paths`` that hold installed distributions."""
        return tuple(path for path in self.paths if path.name in SITE_NAMES)

    @property
    def architecture(self) -> str:
        """The machine's name in OCI."""
        return ARCHITECTURES[self.machine]

    def redactions(self, *, compiled: bool = False) -> tuple[tuple[bytes, bytes], ...]:
        """Return pairs of a path of this machine and what stands for it in the image, equally long.

        Equal length keeps offsets in files; slashes pad, since ``a//b`` is ``a/b``. Longest first.

        Args:
            compiled: for programs and libraries. Linkers let a string be the end of another one (gABI,
                ``SHF_MERGE``), and ``3.11.7`` is the end of ``.../versions/3.11.7``: the last part of the
                interpreter's own path stays there.
        """
        pairs = {self.prefix: VENV_ROOT, self.base_prefix: PYTHON_ROOT}
        if len(self.home.parts) >= _PRIVATE_PARTS_MIN:
            pairs = {self.home: LOCAL_ROOT} | pairs
        pairs |= {path.resolve(): new for path, new in pairs.items()}
        usual = (
            _padded(old, f"/{new}", old.name if compiled and new == PYTHON_ROOT else "")
            for old, new in pairs.items()
            if _is_private(old)
        )
        return tuple(sorted(usual, key=lambda pair: (-len(pair[0]), pair)))

    def key(self) -> str:
        """Return what tells this interpreter's layers from those of another."""
        return repr((self.version, sys.version, self.machine, self.redactions()))


def is_private_folder(folder: str) -> bool:
    """Tell whether a folder is of this machine alone and long enough to be told from other text."""
    parts = Path(folder).parts
    return len(parts) >= _PRIVATE_PARTS_MIN and parts[0] == "/" and parts[1] not in _SYSTEMS


def _dynload(stdlib: Path) -> Path:
    """Return where the extension modules are; what was said at build time is wrong once Python was moved."""
    beside = stdlib / "lib-dynload"
    said = sysconfig.get_config_var("DESTSHARED")
    return Path(said) if said and not beside.is_dir() else beside


def _search_paths(stdlib: Path) -> tuple[Path, ...]:
    found = (Path(path or ".").resolve() for path in sys.path)
    wanted = (p for p in found if p.is_dir() and p != stdlib and p.name != "lib-dynload")
    return tuple(dict.fromkeys(wanted))


def _is_private(path: Path) -> bool:
    return path.parts[:2] not in {("/",), ("/", "usr"), ("/", "opt")}


def _padded(old: Path, new: str, end: str) -> tuple[bytes, bytes]:
    room = len(os.fsencode(old)) - len(os.fsencode(end))
    if len(new) + bool(end) > room:
        new = ""
    return os.fsencode(old), new.ljust(room, "/").encode() + os.fsencode(end)
