"""A cell trains and evaluates in its image as it does in the notebook, with distributions of every kind."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.image import BuiltImage, build_image
from lc_jupyter.packaging.layer_cache import LayerCache
from tests.jupyter.cells import run_cell
from tests.jupyter.images import file_members, run_inside, unpack
from tests.jupyter.snapshots.package_here import OutsideTrial
from tests.jupyter.snapshots.sandboxed import losses_inside
from tests.jupyter.test_packaging_environment import install

pytestmark = pytest.mark.slow

SKLEARN = """
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    X, y = load_iris(return_X_y=True)

    def train(trial):
        model = LogisticRegression(C=0.5, max_iter=200).fit(X, y)
        trial.report(0.5, model)
        return model

    def evaluate(model):
        return [float(p) for p in model.predict_proba(X)[::8].ravel()[:57]]
"""
RUN_JOB = """
import json, pickle
with open("/lc/work/.lc/job.pkl", "rb") as file:
    job = pickle.load(file)
print(json.dumps(job["evaluate"](job["train"](None))))
"""


@pytest.fixture(scope="module")
def sklearn_image(tmp_path_factory: pytest.TempPathFactory) -> BuiltImage:
    names = run_cell(SKLEARN)
    wanted = SnapshotRequest(
        train=names["train"], evaluate=names["evaluate"], model_format="skops", cell=SKLEARN
    )
    cache = LayerCache(tmp_path_factory.mktemp("cache"))
    return build_image(wanted, tmp_path_factory.mktemp("blobs"), cache=cache)


@pytest.fixture(scope="module")
def sklearn_root(tmp_path_factory: pytest.TempPathFactory, sklearn_image: BuiltImage) -> Path:
    return unpack(sklearn_image, tmp_path_factory.mktemp("root"))


def test_a_model_predicts_the_same_inside_as_outside(sklearn_image: BuiltImage) -> None:
    names = run_cell(SKLEARN)
    outside = names["evaluate"](names["train"](OutsideTrial()))

    inside = losses_inside(sklearn_image.digest, sklearn_image.folder)

    assert inside == pytest.approx(outside, abs=1e-9)


def test_every_shared_library_of_every_extension_module_is_in_the_image(
    sklearn_image: BuiltImage, sklearn_root: Path
) -> None:
    program = """
import ctypes, pathlib, sysconfig
import numpy, scipy.linalg, scipy.special, sklearn
site = pathlib.Path(sysconfig.get_path("platlib"))
files = sorted(site.rglob("*.so"))
failed = []
for path in files:
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        if "cannot open shared object" in str(error):
            failed.append(str(error))
assert len(files) > 100
print(failed)
"""

    assert run_inside(sklearn_image, sklearn_root, program) == "[]\n"


def test_the_runner_starts_in_the_image(sklearn_image: BuiltImage, sklearn_root: Path) -> None:
    program = """
import importlib, pathlib, lc_jupyter.runner
folder = pathlib.Path(lc_jupyter.runner.__file__).parent
names = sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("__"))
for name in names:
    importlib.import_module(f"lc_jupyter.runner.{name}")
print(str(folder), "main" in names)
"""

    assert (
        run_inside(sklearn_image, sklearn_root, program) == "/lc/runner/lc_jupyter/runner True\n"
    )


def test_no_path_of_this_machine_is_in_any_file_of_a_large_image(
    sklearn_image: BuiltImage,
) -> None:
    here = Environment.current()
    paths = [bytes(path) for path in (here.prefix, here.base_prefix, here.folder)]

    found = [n for _, n, data in file_members(sklearn_image) if any(p in data for p in paths)]

    assert found == []


def test_tests_of_distributions_stay_at_home_but_those_that_other_code_imports(
    sklearn_image: BuiltImage,
) -> None:
    tests = {name for _, name, _ in file_members(sklearn_image) if "/tests/" in name}

    assert {name.partition("site-packages/")[2].partition("/tests/")[0] for name in tests} == {
        "scipy/special"
    }


def test_nothing_that_the_cell_does_not_need_is_in_the_image(sklearn_image: BuiltImage) -> None:
    names = {name for name, _ in sklearn_image.plan.distributions}

    assert {"scikit-learn", "scipy", "numpy", "skops", "cloudpickle"} <= names
    assert not {"ipython", "pytest", "learningchain", "pip"} & names


LOCAL_CELL = """
    import edited
    import beside_the_notebook
    from acme.one import ONE
    from acme.mine import TWO

    def train(trial):
        import asked_for_by_name
        return asked_for_by_name.NAME

    def evaluate(model):
        from importlib.metadata import version
        return [model, edited.read(), beside_the_notebook.answer(), ONE, TWO, version("edited-project")]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Lay out a notebook's folder, a folder of distributions, and an editable project beside them."""
    site, source = tmp_path / "site-packages", tmp_path / "project"
    (source / "edited" / "data").mkdir(parents=True)
    (source / "edited" / "__init__.py").write_text(
        "from importlib import resources\n"
        "def read():\n    return resources.files('edited').joinpath('data/x').read_text()\n"
    )
    (source / "edited" / "data" / "x").write_text("data of a package")
    install(site, "edited-project", {}, ["leaf-part"], source=str(source))
    (site / "edited.pth").write_text(f"{source}\n")
    install(site, "leaf-part", {"asked_for_by_name.py": "NAME = 'leaf'\n"})
    install(site, "acme-one", {"acme/one/__init__.py": "ONE = 1\n"})
    notebook = tmp_path / "notebook"
    (notebook / "acme").mkdir(parents=True)
    (notebook / "acme" / "mine.py").write_text("TWO = 2\n")
    (notebook / "beside_the_notebook.py").write_text(
        "def answer():\n    from acme.mine import TWO\n    return 40 + TWO\n"
    )
    return tmp_path


def test_editable_namespace_and_local_modules_run_in_the_image(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Environment.current()
    for name in ("site-packages", "project", "notebook"):
        monkeypatch.syspath_prepend(project / name)
    names = run_cell(LOCAL_CELL)
    wanted = SnapshotRequest(
        train=names["train"], evaluate=names["evaluate"], model_format="raw", cell=LOCAL_CELL
    )
    environment = replace(
        here, paths=(project / "site-packages", *here.paths), folder=project / "notebook"
    )

    image = build_image(wanted, project / "blobs", environment, LayerCache(project / "cache"))
    root = unpack(image, project / "root")

    expected = ["leaf", "data of a package", 42, 1, 2, "1.0"]
    assert json.loads(run_inside(image, root, RUN_JOB)) == expected
    assert not [n for _, n, data in file_members(image) if bytes(project) in data]


def test_the_digest_does_not_depend_on_the_process(tmp_path: Path) -> None:
    program = f"""
import sys, random
from pathlib import Path
from lc_jupyter.packaging.image import build_image
from lc_jupyter.packaging.layer_cache import LayerCache
from lc_jupyter.packaging.gathering import SnapshotRequest
def train(trial): return {{1: "a", "b": (2, 3)}}
def evaluate(model): return [0.5]
folder = Path(sys.argv[1])
wanted = SnapshotRequest(train=train, evaluate=evaluate, model_format="raw", cell={RUN_JOB!r})
print(build_image(wanted, folder / "blobs", cache=LayerCache(folder / "cache")).digest)
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / name)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for name in ("first", "second")
    }

    assert len(digests) == 1
