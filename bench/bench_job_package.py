"""job.package: a snapshot of a scientific environment, against a Dockerfile with ``pip install``.

The yardstick is a build by a real engine where one runs, from wheels and a base image that are at hand. Without an
engine it is what such a build must at least do: ``python -m venv`` and ``pip install`` of the same wheels.
Neither fetches anything over the network, as a real build would: the ratios err against us.
"""

import contextlib
import itertools
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from bench.docker_route import docker_route, find_engine
from bench.harness import PAIRS_MIN, Measured, NothingMeasured, Target, from_samples
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import BuiltImage, build_image
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.snapshot import plan_snapshot

COLD: Final = Target(name="job.package.cold", unit="s", limit=0.5, at_least=False)
WARM: Final = Target(name="job.package.warm", unit="s", limit=0.05, at_least=False)
CODE: Final = Target(name="job.package.code", unit="s of 1 s", limit=1, at_least=False)
CODE_SECONDS: Final = 1.0

_OURSELVES: Final = "learningchain"
_CELL: Final = """
import numpy as np
import pandas as pd
import scipy.optimize
from sklearn.linear_model import Ridge

STEP = {step}

def train(trial):
    frame = pd.DataFrame({{"x": np.arange(9.0) * STEP}})
    best = scipy.optimize.minimize(lambda v: v @ v, [1.0])
    yield Ridge(alpha=1.0 + best.fun).fit(frame, frame["x"])

def evaluate(model):
    return [float(model.coef_[0])]
"""

_NOTHING: Final = "def train(trial): return b''\ndef evaluate(model): return [0.0]\n# {step}\n"


Yardstick = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds of one pair."""

    docker: float
    """Of the yardstick."""
    cold: float
    warm: float
    code: float


def run() -> list[Measured]:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = itertools.count()
        wheels = _fetch_wheels(folder, _requirements(folder, next(steps)))
        with _yardstick(folder, wheels, steps) as yardstick:
            times = [_measure(folder / f"pair-{n}", yardstick, steps) for n in range(PAIRS_MIN)]
    docker = [t.docker for t in times]
    return [
        from_samples(COLD, [t.cold for t in times], docker),
        from_samples(WARM, [t.warm for t in times], docker),
        from_samples(CODE, [t.code for t in times], [CODE_SECONDS] * len(times)),
    ]


@contextlib.contextmanager
def _yardstick(folder: Path, wheels: Path, steps: Iterator[int]) -> Iterator[Yardstick]:
    """Return what gives the seconds of the other way to an image."""
    if not find_engine():
        yield lambda: _install(folder / "venv", wheels)
        return
    nothing = replace(science_request(folder, next(steps), _NOTHING), model_format="raw", cell="")
    request = science_request(folder, next(steps))
    with docker_route(request, nothing, wheels, folder / "docker") as route:
        yield route.build


def _measure(folder: Path, yardstick: Yardstick, steps: Iterator[int]) -> Times:
    """Take the other way once and snapshot three times, in a folder that is removed afterwards."""
    folder.mkdir()
    cache = LayerCache(folder / "cache")
    first, changed = (science_request(folder, next(steps)) for _ in range(2))
    docker = yardstick()
    cold, image = built(first, folder / "cold", cache)
    warm, again = built(first, folder / "warm", cache)
    code, other = built(changed, folder / "code", cache)
    assert image.digest == again.digest, "the same cell gives the same image"
    assert [x.was_cached for x in other.layers].count(False) == 1, "only the code's layer is new"
    shutil.rmtree(folder)
    return Times(docker=docker, cold=cold, warm=warm, code=code)


def built(request: SnapshotRequest, into: Path, cache: LayerCache) -> tuple[float, BuiltImage]:
    """Return the seconds that a snapshot took, and the snapshot."""
    since = time.perf_counter()
    image = build_image(request, into, cache=cache)
    return time.perf_counter() - since, image


def science_request(folder: Path, step: int, cell: str = _CELL) -> SnapshotRequest:
    """Return what a cell asks for; its functions belong to ``__main__``, as in a notebook."""
    text = cell.format(step=step)
    path = folder / f"cell_{step}.py"
    path.write_text(text)
    names = runpy.run_path(str(path), run_name="__main__")
    return SnapshotRequest(
        train=names["train"], evaluate=names["evaluate"], model_format="skops", cell=text
    )


def _requirements(folder: Path, step: int) -> list[str]:
    """Return the distributions of the image as pip names them; a Dockerfile would need them all."""
    plan = plan_snapshot(science_request(folder, step), cache=LayerCache(folder / "plan"))
    return [f"{name}=={version}" for name, version in plan.distributions if name != _OURSELVES]


def _fetch_wheels(folder: Path, requirements: Sequence[str]) -> Path:
    """Fetch wheels, which is not measured.

    Raises:
        NothingMeasured: they cannot be had, so that there is nothing to compare with.
    """
    wheels = folder / "wheels"
    words = ["download", "-q", "--no-deps", "--only-binary=:all:", "-d", str(wheels)]
    try:
        _pip(Path(sys.executable), *words, *requirements, environment=os.environ)
    except subprocess.CalledProcessError as error:
        message = "the wheels to compare with could not be fetched"
        raise NothingMeasured(message) from error
    return wheels


def _install(venv: Path, wheels: Path) -> float:
    """Return the seconds of a new environment with all wheels, compiled as pip does by default."""
    shutil.rmtree(venv, ignore_errors=True)
    files = sorted(map(str, wheels.glob("*.whl")))
    since = time.perf_counter()
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)  # noqa: S603  # our own words
    plain = {"PATH": os.defpath, "PIP_CONFIG_FILE": os.devnull}
    words = ["install", "-q", "--no-deps", "--no-index", "--disable-pip-version-check"]
    _pip(venv / "bin" / "python", *words, *files, environment=plain)
    return time.perf_counter() - since


def _pip(python: Path, *words: str, environment: Mapping[str, str]) -> None:
    command = [str(python), "-m", "pip", *words]
    subprocess.run(  # noqa: S603  # our own words
        command, env=environment, check=True, stderr=subprocess.DEVNULL
    )
