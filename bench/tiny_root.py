"""A root file system for a sandbox with one program of this machine in it, and the libraries it needs."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from bench.harness import NothingMeasured

_FOLDERS: Final = ("proc", "dev", "tmp", "lc/in", "lc/out")


def build(root: Path, program: Path) -> Path:
    """Lay out ``program`` and its libraries under ``root``, at the very paths they have here."""
    for place in [program, *libraries(program)]:
        target = root / place.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(place, target)
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)
    for found in (root, *root.rglob("*")):
        if found.is_dir():
            found.chmod(0o755)
    return root


def find(name: str) -> Path:
    """Return where a program lies.

    Raises:
        NothingMeasured: nowhere.
    """
    found = shutil.which(name)
    if found is None:
        message = f"there is no {name} on this machine"
        raise NothingMeasured(message)
    return Path(found).absolute()


def libraries(program: Path) -> list[Path]:
    """Return the libraries that a program needs, by the paths they have here."""
    answer = subprocess.run(  # noqa: S603  # our own words
        [find("ldd"), program], capture_output=True, text=True, check=True
    )
    found = re.findall(r"(?:=> |^\t)(/\S+) \(0x", answer.stdout, re.MULTILINE)
    return sorted({Path(path) for path in found})
