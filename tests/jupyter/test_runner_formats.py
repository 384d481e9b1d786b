"""Model files go out and come back; what could run code is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import cloudpickle
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, Matern, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from lc_jupyter.runner.bundle import BadBundle, pack
from lc_jupyter.runner.formats import (
    FORMATS,
    UnsafeModel,
    WrongFormat,
    can_execute,
    detect_format,
    guess_format,
    load_model,
    save_model,
)
from lc_jupyter.runner.layout import FORMAT_DISTRIBUTIONS
from lc_jupyter.runner.skops_types import allowed_types
from lc_node.chain.transactions import ModelFormat

X, y = load_iris(return_X_y=True)
ESTIMATORS = [
    LogisticRegression(max_iter=1000),
    SVC(),
    KNeighborsClassifier(),
    KNeighborsClassifier(algorithm="ball_tree"),
    RandomForestClassifier(n_estimators=3),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3),
    GaussianProcessClassifier(RBF() * Matern() + WhiteKernel(), optimizer=None),
    make_pipeline(StandardScaler(), SelectKBest(k=2), LogisticRegression()),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_an_estimator_predicts_the_same_after_its_journey(tmp_path: Path, estimator: Any) -> None:
    model = estimator.fit(X, y)

    save_model(model, tmp_path / "model", "skops")

    assert_array_equal(load_model(tmp_path / "model", "skops").predict(X), model.predict(X))


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_perceptron_and_its_optimizer_travel(tmp_path: Path, solver: str) -> None:
    model = MLPClassifier(hidden_layer_sizes=(4,), solver=solver, random_state=0)
    model.partial_fit(X, y, classes=range(3))

    save_model(model, tmp_path / "model", "skops")

    assert_array_equal(
        load_model(tmp_path / "model", "skops").predict_proba(X), model.predict_proba(X)
    )


Homemade = type("Homemade", (BaseEstimator,), {"__module__": __name__})


@pytest.mark.parametrize(
    "model", [Homemade(), make_pipeline(FunctionTransformer(func=exec))], ids=["class", "function"]
)
def test_a_type_that_nobody_reviewed_is_refused_when_it_is_written(
    tmp_path: Path, model: Any
) -> None:
    with pytest.raises(UnsafeModel, match=r"save\(model, path\)"):
        save_model(model, tmp_path / "model", "skops")


def test_a_type_that_nobody_reviewed_is_refused_when_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(UnsafeModel):
        save_model(Homemade(), tmp_path / "model", "skops")

    with pytest.raises(UnsafeModel):
        load_model(tmp_path / "model", "skops", trust=True)


def test_a_version_of_scikit_learn_that_nobody_reviewed_vouches_for_nothing() -> None:
    assert allowed_types("1.9.1")
    assert not allowed_types("2.0.0")


def test_arrays_travel_by_name(tmp_path: Path) -> None:
    save_model({"w": np.arange(3)}, tmp_path / "model", "npz")

    assert_array_equal(load_model(tmp_path / "model", "npz")["w"], np.arange(3))


def test_bytes_travel_as_they_are(tmp_path: Path) -> None:
    save_model(b"\x00model", tmp_path / "model", "raw")

    assert load_model(tmp_path / "model", "raw") == b"\x00model"


@pytest.mark.parametrize(
    ("model", "model_format"),
    [
        ({"w": np.array([object()])}, "npz"),
        ({}, "npz"),
        ([1, 2], "npz"),
        ({1: np.arange(3)}, "npz"),
        ("text", "raw"),
        (5, "safetensors"),
        (5, "gguf"),
    ],
)
def test_a_model_that_does_not_fit_its_format_is_refused(
    tmp_path: Path, model: object, model_format: str
) -> None:
    with pytest.raises(WrongFormat):
        save_model(model, tmp_path / "model", model_format)


def write_pickle(path: Path) -> None:
    path.write_bytes(cloudpickle.dumps({"w": 1}))


def write_object_array(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, w=np.array([object()]))


def write_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(3))


@pytest.mark.parametrize(
    ("write", "error"),
    [(write_pickle, ValueError), (write_object_array, ValueError), (write_array, WrongFormat)],
)
def test_an_npz_that_is_none_or_holds_objects_is_refused(
    tmp_path: Path, write: Callable[[Path], None], error: type[Exception]
) -> None:
    write(tmp_path / "model")

    with pytest.raises(error):
        load_model(tmp_path / "model", "npz")


def test_a_pickle_is_loaded_only_with_trust(tmp_path: Path) -> None:
    save_model({1, 2}, tmp_path / "model", "pickle")

    with pytest.raises(UnsafeModel, match="can run code"):
        load_model(tmp_path / "model", "pickle")
    assert load_model(tmp_path / "model", "pickle", trust=True) == {1, 2}


def load_with_params(path: str, params: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    return Path(path).read_bytes(), params


def test_params_travel_with_a_model_whose_load_wants_them(tmp_path: Path) -> None:
    path = tmp_path / "model"

    save_model(b"m", path, "raw", load=load_with_params, params={"b": 1, "a": "x"})

    assert load_model(path, "raw", load=load_with_params) == (b"m", {"a": "x", "b": 1})
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_same_model_and_params_make_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"m")
    pack(tmp_path / "m", {"b": 1, "a": 2}, tmp_path / "one")
    pack(tmp_path / "m", {"a": 2, "b": 1}, tmp_path / "two")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_an_npz_that_unfolds_into_much_more_than_its_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"w{number}.npy", bytes(16 * 1024**2))

    with pytest.raises(WrongFormat, match="83,886,080 bytes"):
        load_model(path, "npz")


@pytest.mark.parametrize(
    ("members", "compression"),
    [
        ({"model": "m"}, 0),
        ({"model": "m", "params.json": "[]"}, 0),
        ({"model": "m", "params.json": "{}", "../x": ""}, 0),
        ({"model": "m", "params.json": "{}"}, ZIP_DEFLATED),
        ({"model": "m", "params.json": " " * 1_048_577}, 0),
    ],
)
def test_a_forged_bundle_is_refused(
    tmp_path: Path, members: dict[str, str], compression: int
) -> None:
    with ZipFile(tmp_path / "model", "w", compression) as bundle:
        for name, text in members.items():
            bundle.writestr(name, text)

    with pytest.raises(BadBundle):
        load_model(tmp_path / "model", "raw", load=load_with_params)


@pytest.mark.parametrize(
    ("model", "model_format"),
    [
        (LogisticRegression(), "skops"),
        ({"w": np.arange(3)}, "npz"),
        (b"", "raw"),
        ({}, "pickle"),
        ({"w": 1}, "pickle"),
        (Homemade(), "pickle"),
    ],
)
def test_a_model_s_format_follows_from_its_type(model: object, model_format: str) -> None:
    assert detect_format(model) == model_format


@pytest.mark.parametrize(
    ("modules", "model_format"),
    [
        ({"numpy", "sklearn"}, "skops"),
        ({"onnx"}, "onnx"),
        ({"numpy"}, "npz"),
        ({"math"}, "pickle"),
    ],
)
def test_a_format_is_guessed_from_what_a_cell_uses(modules: set[str], model_format: str) -> None:
    assert guess_format(modules, own_files=False) == model_format


@pytest.mark.parametrize(
    ("module", "model_format"), [("sklearn", "raw"), ("torch", "safetensors")]
)
def test_a_cell_with_its_own_files_makes_raw_bytes_or_tensors(
    module: str, model_format: str
) -> None:
    assert guess_format({module}, own_files=True) == model_format


def test_runner_chain_and_layout_name_the_same_formats() -> None:
    assert set(FORMATS) == set(ModelFormat) == set(FORMAT_DISTRIBUTIONS)


@pytest.mark.parametrize("model_format", list(ModelFormat))
def test_runner_and_chain_agree_on_what_can_execute(model_format: ModelFormat) -> None:
    assert can_execute(model_format) == model_format.can_execute
