"""The other way to an image of an environment: a Dockerfile with ``pip install``, built by a real engine."""

import contextlib
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from lc_jupyter.packaging.dockerfile import write_build_context
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import build_image, write_archive
from lc_jupyter.packaging.layer_cache import LayerCache

HOST_FILE: Final = Path(__file__).parents[1] / ".cache" / "docker-host"
"""Where ``scripts/ensure-docker`` says that its engine listens."""


class DockerRoute:
    """A build context for a request, and an engine that builds it, each time anew."""

    def __init__(self, host: str, name: str, context: Path) -> None:
        """Build ``context`` on the engine at ``host``, under a name of ours."""
        self._host = host
        self._name = name
        self._context = context

    def build(self) -> float:
        """Return the seconds of a build that finds no layer of an earlier one; its image is removed."""
        words = ("build", "--no-cache", "--network", "none", "--build-arg", "PIP_NO_INDEX=1")
        since = time.perf_counter()
        self.do(*words, "-t", f"{self._name}:built", str(self._context))
        seconds = time.perf_counter() - since
        self.do("image", "rm", "-f", f"{self._name}:built")
        return seconds

    def do(self, *words: str) -> None:
        """Run a command of the engine."""
        engine_does(*words, host=self._host)


def engine_does(*words: str, host: str = "", stdin: bytes = b"") -> None:
    """Run a command of an engine: that at ``host``, by default the one that was found."""
    where = {"DOCKER_HOST": host or find_engine(), "DOCKER_BUILDKIT": "0"}
    subprocess.run(  # noqa: S603  # our own words
        ["docker", *words],  # noqa: S607  # whichever is installed
        env={**os.environ, **where},
        input=stdin,
        check=True,
        capture_output=True,
    )


def find_engine() -> str:
    """Return where an engine listens; empty if there is none, or no command line for it."""
    with contextlib.suppress(FileNotFoundError):
        return HOST_FILE.read_text().strip() if shutil.which("docker") else ""
    return ""


@contextlib.contextmanager
def docker_route(
    request: SnapshotRequest, nothing: SnapshotRequest, wheels: Path, folder: Path
) -> Iterator[DockerRoute]:
    """Prepare what is not measured: the base image, and the wheels, which are at hand.

    No base can be pulled everywhere, so that a snapshot makes it, of ``nothing`` but the interpreter and pip.
    """
    host, name = find_engine(), f"lc-bench-{uuid.uuid4().hex[:8]}"
    cache = LayerCache(folder / "cache")
    route = DockerRoute(host, name, folder / "context")
    base = build_image(replace(nothing, with_distributions=("pip",)), folder / "base", cache=cache)
    write_archive(base, folder / "base.tar", f"{name}:base")
    try:
        route.do("load", "-i", str(folder / "base.tar"))
        write_build_context(request, folder / "context", base=f"{name}:base", cache=cache)
        for wheel in wheels.iterdir():
            shutil.copy(wheel, folder / "context" / "build")
        yield route
    finally:
        route.do("image", "rm", "-f", f"{name}:base")
