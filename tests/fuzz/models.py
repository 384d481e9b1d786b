"""Models' files as strangers may make them: what is read of them in a notebook without loading them."""

import io
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import cloudpickle
import skops.io
from sklearn.linear_model import LogisticRegression

from lc_jupyter.inspection.contents import Unreadable
from lc_jupyter.inspection.reading import read_contents
from lc_jupyter.runner.formats import FORMATS
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
