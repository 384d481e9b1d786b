"""Where a snapshot puts things in its image: neutral folders, so that no path of this machine travels."""

from typing import Final

PYTHON_ROOT: Final = "opt/python"
"""The interpreter: ``bin/``, ``lib/`` with the libraries that no system folder holds, the standard library."""

LIBRARIES: Final = f"{PYTHON_ROOT}/lib"

VENV_ROOT: Final = "opt/venv"
"""A virtual environment: a relocated Debian interpreter finds ``site-packages`` in no other way."""

LOCAL_ROOT: Final = "opt/local"
"""Modules of the notebook's folder and of editable installs; on ``sys.path`` through a ``.pth`` file."""

SOURCES: Final = ".lc/cells"
"""Under the working folder: the lines of the captured functions, so that tracebacks can show them."""


def stdlib_of(version: str) -> str:
    """Return the folder of the standard library of Python ``3.x``."""
    return f"{LIBRARIES}/python{version}"


def site_of(version: str) -> str:
    """Return the folder of the distributions of Python ``3.x``."""
    return f"{VENV_ROOT}/lib/python{version}/site-packages"
