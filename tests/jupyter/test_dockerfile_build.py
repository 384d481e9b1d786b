"""The commands that are told for a Dockerfile work: a real engine builds the image, and a node would take it."""

import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from lc_jupyter.packaging.dockerfile import write_build_context
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import build_image, write_archive
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from tests.adapters.jobs import docker_host
from tests.jupyter.cells import run_cell

pytestmark = pytest.mark.slow

CELL = """
    from cloudpickle import __version__ as version

    def train(trial):
        trial.report(0.5, b"model")
        return b"model"

    def evaluate(model):
        return [len(model), len(version.split("."))]
"""


def request_of(**more: tuple[str, ...]) -> SnapshotRequest:
    names = run_cell(CELL)
    return SnapshotRequest(
        train=names["train"],
        evaluate=names["evaluate"],
        model_format="raw",
        cell=dedent(CELL),
        with_distributions=more.get("with_distributions", ()),
    )


class Engine:
    """The engine's command line, and names that go at the end."""

    def __init__(self, host: str) -> None:
        self._variables = {**os.environ, "DOCKER_HOST": host, "DOCKER_BUILDKIT": "0"}
        self.name = f"lc-test-{uuid.uuid4().hex[:8]}"

    def do(self, *words: str) -> None:
        """Run a command line."""
        done = subprocess.run(
            words, env=self._variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def clear(self) -> None:
        """Remove what was made."""
        self.do("docker", "image", "rm", "-f", f"{self.name}:job", f"{self.name}:base")


@pytest.fixture
def engine() -> Iterator[Engine]:
    if not docker_host():
        pytest.skip("no engine; scripts/ensure-docker starts one")
    found = Engine(docker_host())
    yield found
    found.clear()


def make_base(engine: Engine, folder: Path) -> str:
    """Load an image with this Python and pip, as no base can be pulled here: a snapshot of ours."""
    cache = LayerCache(folder / "cache")
    image = build_image(request_of(with_distributions=("pip",)), folder / "blobs", cache=cache)
    write_archive(image, folder / "base.tar", f"{engine.name}:base")
    engine.do("docker", "load", "-i", str(folder / "base.tar"))
    return f"{engine.name}:base"


def test_an_engine_builds_what_was_written_and_the_image_trains_and_evaluates(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = make_base(engine, tmp_path)
    context = write_build_context(
        request_of(), tmp_path / "context", base=base, cache=LayerCache(tmp_path / "cache")
    )
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d"]
    engine.do(*pip, str(context.folder / "build"), *context.requirements)
    build, save, *_ = (shlex.split(command) for command in context.commands(f"{engine.name}:job"))

    engine.do(*build, "--network", "none", "--build-arg", "PIP_NO_INDEX=1")
    archive = str(tmp_path / "job.tar")
    engine.do(*(word if not word.endswith(".tar") else archive for word in save))

    assert run(["image", "check", archive]) == Exit.OK, capsys.readouterr().out
    model = str(tmp_path / "model")
    assert run(["image", "run", archive, "train", "--model", model]) == Exit.OK
    assert run(["image", "run", archive, "evaluate", "--model", model]) == Exit.OK
    assert '< {"lc":"losses","values":[5.0,3.0]}' in capsys.readouterr().out
