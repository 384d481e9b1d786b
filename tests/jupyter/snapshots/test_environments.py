"""Environments of every kind give the same predictions inside their image as outside."""

from pathlib import Path

import pytest

from tests.jupyter.snapshots.prefixes import conda_like_prefix, debian_python
from tests.jupyter.snapshots.pythons import Packaged, Python
from tests.jupyter.snapshots.sandboxed import files_naming, losses_inside

pytestmark = pytest.mark.slow

NUMPY = """
    import numpy as np

    draw = np.random.default_rng(3)
    A = draw.normal(size=(200, 5))
    b = A @ np.arange(5.0) + draw.normal(size=200)

    def train(trial):
        weights, *_ = np.linalg.lstsq(A, b, rcond=None)
        trial.report(0.5, {"weights": weights})
        return {"weights": weights}

    def evaluate(model):
        return [float(p) for p in (A @ model["weights"])[:40]]
"""
ALONE = """
    import ctypes, math, sqlite3, ssl, zlib

    def train(trial):
        trial.report(0.5, b"model")
        return b"model"

    def evaluate(model):
        one = sqlite3.connect(":memory:").execute("select 1 + 1").fetchone()[0]
        return [float(one), math.pi, float(zlib.crc32(model)), float(len(ssl.OPENSSL_VERSION))]
"""


def packaged_losses(packaged: Packaged) -> list[float]:
    return losses_inside(packaged.digest, packaged.folder / "blobs")


def test_an_older_numpy_of_another_python_in_a_venv_of_uv(
    numpy_venv: Python, tmp_path: Path, shared_cache: Path
) -> None:
    packaged = numpy_venv.package(NUMPY, tmp_path, cache=shared_cache, model_format="npz")

    assert packaged_losses(packaged) == pytest.approx(packaged.outside, abs=1e-9)


def test_debians_python_with_debians_packages(
    tmp_path: Path, wheel: Path, shared_cache: Path
) -> None:
    python = debian_python(tmp_path / "user", wheel)

    packaged = python.package(NUMPY, tmp_path / "i", cache=shared_cache, model_format="npz")

    assert packaged_losses(packaged) == pytest.approx(packaged.outside, abs=1e-9)
    assert packaged.said["missing"] == {}


def test_a_prefix_laid_out_as_conda_does(tmp_path: Path, wheel: Path, shared_cache: Path) -> None:
    prefix = tmp_path / "home" / "alicia-w" / "miniconda3"
    python = conda_like_prefix(prefix, wheel)

    packaged = python.package(ALONE, tmp_path / "image", cache=shared_cache)

    assert packaged_losses(packaged) == pytest.approx(packaged.outside, abs=1e-9)
    assert files_naming(packaged, prefix, "alicia-w", tmp_path) == []
