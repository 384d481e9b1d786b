"""Older versions of ipykernel beside the one that the environment has; each is installed once, below .cache."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEWEST = ".".join(version("ipykernel").split(".")[:2])
VERSIONS = {"6.31": ("ipykernel==6.31.0", "nest-asyncio==1.6.0"), "7.3": ("ipykernel==7.3.0",)}
"""With what they need and the environment does not have."""


def folder_with(wanted: str) -> Path | None:
    """Return a folder that, put before all others, makes a kernel of this version; None: the environment does."""
    if wanted == NEWEST:
        return None
    folder = ROOT / ".cache" / "ipykernel" / wanted
    if not folder.exists():
        whole = folder.with_name(f".{wanted}-{os.getpid()}")
        uv = Path(sys.executable).with_name("uv")
        options = ("--quiet", "--no-deps", "--python", sys.executable, "--target", str(whole))
        subprocess.run([uv, "pip", "install", *options, *VERSIONS[wanted]], check=True)
        whole.rename(folder)
    return folder
