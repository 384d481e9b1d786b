"""Interpreters that are not of a virtual environment: Debian's, and one with the layout of conda's."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.jupyter.snapshots.pythons import PACKAGING_NEEDS, Python, base_python, install

DEBIAN = Path("/usr/bin/python3")
_LEFT_OUT = ("test", "tests", "idlelib", "site-packages", "__pycache__", "config-*", "lib2to3")


def debian_python(user_base: Path, wheel: Path) -> Python:
    """Return Debian's interpreter with Debian's numpy; we are installed as ``pip install --user`` does it."""
    if not (DEBIAN.exists() and list(Path("/usr/lib/python3/dist-packages").glob("numpy*"))):
        pytest.skip("no Python of Debian with numpy: apt-get install python3 python3-numpy")
    version = Python(DEBIAN).run("import sys; print('%d.%d' % sys.version_info[:2])").strip()
    site = str(user_base / "lib" / f"python{version}" / "site-packages")
    install(DEBIAN, *PACKAGING_NEEDS, options=["--target", site])
    install(DEBIAN, str(wheel), options=["--no-deps", "--target", site])
    return Python(DEBIAN, {"PYTHONUSERBASE": str(user_base)})


def conda_like_prefix(prefix: Path, wheel: Path) -> Python:
    """Lay out an interpreter as conda, and uv's and other standalone builds, do; conda itself is not to be had here.

    The prefix is no virtual environment, was built elsewhere, finds its libraries from its own place
    (``$ORIGIN/../lib``), holds packages beside its standard library, and notes of them in ``conda-meta``.
    """
    base, version = Path(sys.base_prefix), base_python().name.removeprefix("python")
    library = prefix / "lib" / f"python{version}"
    skip = shutil.ignore_patterns(*_LEFT_OUT)
    shutil.copytree(base / "lib" / f"python{version}", library, ignore=skip, symlinks=True)
    for shared in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(shared, prefix / "lib", follow_symlinks=False)
    (library / "site-packages").mkdir()
    program = prefix / "bin" / f"python{version}"
    program.parent.mkdir()
    program.write_bytes(_relocated(base_python().read_bytes(), base / "lib"))
    program.chmod(0o755)
    (prefix / "conda-meta").mkdir()
    note = {"name": "python", "version": version, "files": [f"bin/python{version}"]}
    (prefix / "conda-meta" / "python.json").write_text(json.dumps(note))
    options = ["--break-system-packages"]
    install(program, *PACKAGING_NEEDS, options=options)
    install(program, str(wheel), options=["--no-deps", *options])
    assert Python(program).run("import sys; print(sys.prefix)").strip() == str(prefix)
    return Python(program, {"HOME": str(prefix.parent)})


def _relocated(program: bytes, libraries: Path) -> bytes:
    """Let a program look for its libraries from where it lies, as ``patchelf --set-rpath`` would."""
    old = bytes(libraries)
    return program.replace(old + b"\0", b"$ORIGIN/../lib".ljust(len(old), b"\0") + b"\0")
