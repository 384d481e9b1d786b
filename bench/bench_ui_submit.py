"""ui.submit: from entering ``%%lc_submit`` until the job is posted, the environment packaged before, without a check."""

import itertools
import re
import time
from dataclasses import replace
from typing import Final

from bench import job_nets
from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from tests.e2e.graphs import short_folder
from tests.jupyter.kernels import Kernel

SUBMIT: Final = Target(name="ui.submit", unit="s of 2 s", limit=1, at_least=False)
LIMIT_SECONDS: Final = 2.0

_PATIENCE_SECONDS: Final = 600
_ROLES: Final = (job_nets.SUBMITTER, *job_nets.EVALUATORS)
_DATA: Final = """
%load_ext lc_jupyter
from sklearn.datasets import load_digits
X, y = load_digits(return_X_y=True)
"""
_CELL: Final = """%%lc_submit --bounty 1 --expires 10m --no-check --format skops
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

STEPS = {step}

def train(trial):
    model = SGDClassifier(loss="log_loss", alpha=trial.suggest_float("alpha", 1e-6, 1, log=True))
    for _ in range(STEPS):
        model.partial_fit(X[:1400], y[:1400], classes=range(10))
        trial.report(log_loss(y[1400:], model.predict_proba(X[1400:])), model)
    return model

def evaluate(model):
    return [log_loss(y[1400:], model.predict_proba(X[1400:]))]
"""
_SECONDS: Final = (
    "from lc_jupyter.jobs import get_last_job as last\nprint(last().seconds['packaging'])"
)


def run() -> list[Measured]:
    """Measure: each time the cell is another one, as after an edit."""
    steps = itertools.count(1)
    with short_folder() as folder, job_nets.graph(_ROLES) as net:
        home = net.place(job_nets.SUBMITTER.name).home.path
        kernel = Kernel(folder, home, folder / "cache", patience_seconds=_PATIENCE_SECONDS)
        try:
            assert kernel.run(_DATA).status == "ok"
            _submit(kernel, next(steps))  # packages the environment
            times = [_submit(kernel, next(steps)) for _ in range(PAIRS_MIN)]
        finally:
            kernel.stop()
    seconds, packaging = zip(*times, strict=True)
    found = from_samples(SUBMIT, seconds, [LIMIT_SECONDS] * len(times))
    return [replace(found, note=f"{sorted(packaging)[len(times) // 2]:.2f} s of it packaging")]


def _submit(kernel: Kernel, step: int) -> tuple[float, float]:
    """Return the seconds until a job was posted, and those of them that packaging took."""
    since = time.perf_counter()
    reply = kernel.run(_CELL.format(step=step))
    seconds = time.perf_counter() - since
    assert reply.status == "ok", reply.text
    assert "Posted as job" in "".join(reply.drawn), re.sub("<[^>]*>", " ", "".join(reply.drawn))
    return seconds, float(kernel.run(_SECONDS).text)
