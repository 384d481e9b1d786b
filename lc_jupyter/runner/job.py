"""What a run is given: its places, its job.json, and the functions that were captured."""

import json
import os
import random
import sys
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import cloudpickle

from lc_jupyter.runner import layout

Train = Callable[[Any], Any]
Evaluate = Callable[[Any], Any]
Save = Callable[[Any, str], None]
Load = Callable[..., Any]
Predict = Callable[..., Any]

_THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The three folders of a run."""

    work: Path
    inputs: Path
    outputs: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The part of job.json that the runner uses."""

    seed: int
    cpus: int
    model_bytes_max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The captured functions and the format of the models they make."""

    train: Train
    evaluate: Evaluate
    save: Save | None
    load: Load | None
    predict: Predict | None
    model_format: str


def find_places() -> Places:
    """Return the contract's folders, or those that the environment names instead."""
    work, inputs, outputs = (
        Path(os.environ.get(name, usual)) for name, usual in layout.PLACES.items()
    )
    return Places(work=work, inputs=inputs, outputs=outputs)


def read_job(places: Places) -> Job:
    """Return what job.json says."""
    document = json.loads((places.inputs / layout.JOB_FILE).read_bytes())
    return Job(
        seed=int(document["seed"]),
        cpus=int(document["cpus"]),
        model_bytes_max=int(document["limits"]["model_bytes_max"]),
    )


def limit_threads(job: Job, environment: MutableMapping[str, str]) -> None:
    """Set the thread counts that the node has not set; numpy reads them once, when it is imported."""
    for name in _THREAD_VARIABLES:
        environment.setdefault(name, str(job.cpus))


def read_payload(places: Places) -> Payload:
    """Return the captured functions; this imports what they need."""
    data = (places.work / layout.PAYLOAD).read_bytes()
    found = cloudpickle.loads(data)
    return Payload(
        train=found[layout.PAYLOAD_TRAIN],
        evaluate=found[layout.PAYLOAD_EVALUATE],
        save=found.get(layout.PAYLOAD_SAVE),
        load=found.get(layout.PAYLOAD_LOAD),
        predict=found.get(layout.PAYLOAD_PREDICT),
        model_format=found[layout.PAYLOAD_FORMAT],
    )


def seed_everything(seed: int) -> None:
    """Seed the generators that a cell may draw from.

    numpy is imported for it, if it is there: a cell that imports it later would draw from the system's
    entropy. torch starts from a constant, and is seeded only if the cell has imported it.
    """
    random.seed(seed)
    if find_spec("numpy") is not None:
        import_module("numpy").random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
