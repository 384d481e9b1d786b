"""Models' files and predictions as strangers may make them, as a notebook reads them without loading anything."""

import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import skops.io
from sklearn.linear_model import LogisticRegression

from lc_jupyter.inspection.contents import Unreadable
from lc_jupyter.inspection.reading import read_contents
from lc_jupyter.runner.formats import FORMATS
from lc_jupyter.runner.plain import encode
from tests.fuzz.samples import npz_models
from tests.jupyter.model_files import ONNX, SAFETENSORS


def inspect(path: Path) -> None:
    """Read what a file would say of itself in each format."""
    for model_format in FORMATS:
        with suppress(Unreadable):
            read_contents(path, model_format)


def files() -> Sequence[bytes]:
    """Return a model of each format."""
    estimator = io.BytesIO()
    skops.io.dump(LogisticRegression(), estimator)
    pickled = cloudpickle.dumps({"model": LogisticRegression(), "names": ("a", "b")})
    return (*npz_models(), SAFETENSORS, ONNX, estimator.getvalue(), pickled, b'{"slope": 3}')


def predictions() -> Sequence[bytes]:
    """Return plain data as runs leave it."""
    frame = pd.DataFrame({"x": [0.5, 1.5], "kind": ["a", "b"]})
    values = (
        None,
        [1, {"a": b"b"}],
        np.arange(6.0).reshape(2, 3),
        np.array(["a"]),
        frame,
        frame["x"],
    )
    return [encode(value) for value in values]
