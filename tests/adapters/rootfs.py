"""A root file system for sandboxed jobs in tests: this very interpreter, and what it needs to start."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PYTHON = "/opt/python/bin/python3"
ENVIRONMENT = {"LD_LIBRARY_PATH": "/opt/python/lib", "PYTHONDONTWRITEBYTECODE": "1"}
LEFT_OUT = ("test", "idlelib", "tkinter", "ensurepip", "site-packages", "lib2to3", "config-*")


def build_python_rootfs(rootfs: Path) -> Path:
    """Lay out an interpreter under /opt/python, and its libraries where the loader looks for them."""
    home = rootfs / "opt" / "python"
    library = Path(os.__file__).parent
    copied = home / "lib" / library.name
    shutil.copytree(library, copied, copy_function=_link, ignore=shutil.ignore_patterns(*LEFT_OUT))
    (home / "bin").mkdir()
    binary = Path(sys.executable).resolve()
    shutil.copy(binary, home / "bin" / "python3")
    for needed in _libraries_of([binary, *sorted((library / "lib-dynload").glob("*.so"))]):
        _place(needed, rootfs, home)
    for place in ("proc", "dev", "tmp", "lc/in", "lc/out"):
        (rootfs / place).mkdir(parents=True)
    for folder, _, _ in os.walk(rootfs):
        Path(folder).chmod(0o755)
    return rootfs


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _libraries_of(files: list[Path]) -> list[Path]:
    answer = subprocess.run(["/usr/bin/ldd", *files], capture_output=True, text=True, check=True)
    found = re.findall(r"(?:=> |^\t)(/\S+) \(0x", answer.stdout, re.MULTILINE)
    return sorted({Path(path) for path in found})


def _place(needed: Path, rootfs: Path, home: Path) -> None:
    """Keep the loader where the kernel looks for it; put everything else where LD_LIBRARY_PATH says."""
    if needed.name.startswith("ld-linux"):
        target = rootfs / needed.relative_to("/")
    else:
        target = home / "lib" / needed.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(needed, target)
