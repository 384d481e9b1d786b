"""Where the runner finds things inside an image: what packaging writes and the runner reads."""

from typing import Final

RUNNER_ROOT: Final = "/lc/runner"
"""On ``PYTHONPATH`` in the image; a layer of its own, so that a new runner moves no other layer."""

RUNNER_PACKAGE: Final = "lc_jupyter.runner"
"""Copied as ``/lc/runner/lc_jupyter/runner/*.py`` beside an ``__init__.py`` of its parent that packaging
writes (``PARENT_INIT``): the same module names as at home, and nothing else of the notebook's side."""

PARENT_INIT: Final = '"""The part of lc_jupyter that travels inside images: the runner."""\n'
"""The whole of ``/lc/runner/lc_jupyter/__init__.py`` in an image."""

WORK: Final = "/lc/work"
"""The working folder, read-only while a job runs; ``--include`` files lie here."""

IN: Final = "/lc/in"
"""What the node gives a run, read-only: ``job.json``, and ``model`` to an evaluation or a prediction."""

OUT: Final = "/lc/out"
"""Where a run leaves files for the node, writable up to a quota."""

PAYLOAD: Final = ".lc/job.pkl"
"""The captured functions, under ``WORK``: a cloudpickle of a dict with the keys below."""

PAYLOAD_TRAIN: Final = "train"
PAYLOAD_EVALUATE: Final = "evaluate"
PAYLOAD_SAVE: Final = "save"
PAYLOAD_LOAD: Final = "load"
PAYLOAD_PREDICT: Final = "predict"
PAYLOAD_FORMAT: Final = "model_format"
"""Required: ``train`` and ``evaluate`` (functions), ``model_format`` (a name of ``formats.FORMATS``).
Optional: ``save``, ``load`` and ``predict`` (functions)."""

JOB_FILE: Final = "job.json"
MODEL_FILE: Final = "model"
INPUTS_FILE: Final = "inputs"
"""Names under ``IN``; the last one is given to a prediction."""

PREDICTIONS_FILE: Final = "predictions"
"""What a prediction leaves under ``OUT``."""

ENVIRONMENT: Final = {
    "HOME": "/tmp",  # noqa: S108 (the sandbox's own /tmp, not this machine's)
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": RUNNER_ROOT,
    "PYTHONUNBUFFERED": "1",
}
"""What the image's configuration sets; the node adds thread counts and PYTHONHASHSEED at each run."""

PLACES: Final = {"LC_WORK": WORK, "LC_IN": IN, "LC_OUT": OUT}
"""Environment variables that move the three folders, and what holds without them."""

FORMAT_DISTRIBUTIONS: Final = {
    "skops": ("scikit-learn", "skops"),
    "npz": ("numpy",),
    "safetensors": ("safetensors",),
    "onnx": ("onnx",),
    "raw": (),
    "pickle": (),
}
"""Which distributions the image must hold for each model format."""

ALWAYS_DISTRIBUTIONS: Final = ("cloudpickle",)
"""Which distributions every image with a Python runner must hold."""


def entrypoint(python: str) -> tuple[str, ...]:
    """Return an image's entrypoint for its interpreter; the node appends ``train``, ``evaluate`` or ``predict``."""
    return (python, "-m", RUNNER_PACKAGE)
