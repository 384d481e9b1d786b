"""job.train: how long a training takes in the sandbox, against the same function in a process, with as many threads."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from bench.harness import Measured, Target, from_samples
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import build_image
from lc_node.adapters.sandbox_policy import BACKGROUND_NICE
from lc_node.chain.types import Digest, Seconds
from lc_node.ports.sandbox import SandboxWishes
from lc_node.runtime.image_runs import ImageRuns, RunTerms
from tests.jupyter.cells import run_cell
from tests.jupyter.snapshots.sandboxed import Blobs

TRAIN: Final = Target(name="job.train", unit="s", limit=1.03, at_least=False)

PAIRS: Final = 9
THREADS: Final = len(os.sched_getaffinity(0))
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SECONDS_MAX: Final = 600
_CELL: Final = '''
import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

X, Y = load_digits(return_X_y=True)

def work():
    """Return the seconds of a training, its first steps left out."""
    rng = np.random.default_rng(0)
    model = MLPClassifier(hidden_layer_sizes=(512, 256), random_state=0, batch_size=256)
    model.partial_fit(X, Y, classes=range(10))
    since = time.perf_counter()
    for _ in range(40):
        model.partial_fit(X + rng.normal(size=X.shape), Y)
    return time.perf_counter() - since

def train(trial):
    seconds = work()
    trial.report(seconds, repr(seconds).encode())

def evaluate(model):
    return [float(model)]
'''


def run() -> list[Measured]:
    """Measure: the training's own clock, so that no start is in it."""
    with tempfile.TemporaryDirectory(prefix="lcb") as name:
        folder = Path(name)
        script = folder / "raw.py"
        script.write_text(f"{_CELL}\nprint(work())\n")
        digest = _packaged(folder / "image")
        return [asyncio.run(_measured(Blobs(folder / "image"), digest, script))]


async def _measured(blobs: Blobs, manifest: Digest, script: Path) -> Measured:
    ours, raw = list[float](), list[float]()
    async with ImageRuns.opened(
        manifest, blobs, lambda _who, _line: None, SandboxWishes()
    ) as runs:
        for _ in range(PAIRS):
            raw.append(await asyncio.to_thread(_raw, script))
            ours.append(await _ours(runs))
    return from_samples(TRAIN, ours, raw)


def _packaged(folder: Path) -> Digest:
    names = run_cell(_CELL)
    snapshot = SnapshotRequest(
        train=names["train"], evaluate=names["evaluate"], model_format="raw", cell=_CELL
    )
    folder.mkdir()
    image = build_image(snapshot, folder)
    for blob, path in image.blobs.items():
        path.rename(folder / blob.removeprefix("sha256:"))
    return Digest(bytes.fromhex(image.digest.removeprefix("sha256:")))


async def _ours(runs: ImageRuns) -> float:
    """Return the seconds of the training in the sandbox, as a node runs it."""
    terms = RunTerms(seconds=Seconds(_SECONDS_MAX), millicpus=1000 * THREADS)
    training, model = await runs.train(terms, trials=1, stops_at_model=True)
    assert model is not None, (training.text, training.outcome.log_tail)
    return float(model.read_text())


def _raw(script: Path) -> float:
    """Return the seconds of the training in a process of this interpreter, which gives way to others as a job does."""
    threads = dict.fromkeys(_THREAD_VARIABLES, str(THREADS))
    done = subprocess.run(  # noqa: S603  # our own words
        ["nice", "-n", str(BACKGROUND_NICE), sys.executable, script],  # noqa: S607  # where it lies differs
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
