"""job.package: a snapshot of a scientific environment, against what a Dockerfile must at least do.

The yardstick is ``python -m venv`` and ``pip install`` of the very distributions that the image holds,
from wheels on this disk. A build by Dockerfile does the same, and besides fetches the wheels and the base
image, and exports the layers: the yardstick is a lower bound of it, and the ratios err against us.
"""

import itertools
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Seconds of one pair."""

    pip: float
    cold: float
    warm: float
    code: float


def run() -> list[Measured]:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = itertools.count()
        wheels = _fetch_wheels(folder, _requirements(folder, next(steps)))
        times = [_measure(folder / f"pair-{n}", wheels, steps) for n in range(PAIRS_MIN)]
    pip = [t.pip for t in times]
    return [
        from_samples(COLD, [t.cold for t in times], pip),
        from_samples(WARM, [t.warm for t in times], pip),
        from_samples(CODE, [t.code for t in times], [CODE_SECONDS] * len(times)),
    ]


def _measure(folder: Path, wheels: Path, steps: Iterator[int]) -> Times:
    """Install once and snapshot three times, in a folder that is removed afterwards."""
    folder.mkdir()
    cache = LayerCache(folder / "cache")
    first, changed = (science_request(folder, next(steps)) for _ in range(2))
    pip = _install(folder / "venv", wheels)
    cold, image = built(first, folder / "cold", cache)
    warm, again = built(first, folder / "warm", cache)
    code, other = built(changed, folder / "code", cache)
    assert image.digest == again.digest, "the same cell gives the same image"
    assert [x.was_cached for x in other.layers].count(False) == 1, "only the code's layer is new"
    shutil.rmtree(folder)
    return Times(pip=pip, cold=cold, warm=warm, code=code)


def built(request: SnapshotRequest, into: Path, cache: LayerCache) -> tuple[float, BuiltImage]:
    """Return the seconds that a snapshot took, and the snapshot."""
    since = time.perf_counter()
    image = build_image(request, into, cache=cache)
    return time.perf_counter() - since, image


def science_request(folder: Path, step: int) -> SnapshotRequest:
    """Return what a cell asks for; its functions belong to ``__main__``, as in a notebook."""
    text = _CELL.format(step=step)
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
