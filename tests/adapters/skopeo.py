"""The second opinion on images: skopeo, which knows nothing of us."""

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

SKOPEO = shutil.which("skopeo")
needs_skopeo = pytest.mark.skipif(
    SKOPEO is None and "CI" not in os.environ, reason="no skopeo; scripts/ensure-registry"
)


def skopeo(*words: str) -> str:
    """Run skopeo and return what it says."""
    assert SKOPEO is not None, "scripts/ensure-registry installs it"
    done = subprocess.run([SKOPEO, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy(source: str, target: str, *options: str) -> None:
    """Copy an image with skopeo."""
    skopeo("copy", "--quiet", *options, source, target)


def inspect(image: str, *options: str) -> dict[str, Any]:
    """Return what skopeo finds in an image."""
    found: dict[str, Any] = json.loads(skopeo("inspect", *options, image))
    return found
