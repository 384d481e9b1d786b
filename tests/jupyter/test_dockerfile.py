"""A folder from which an engine builds a job's image: exact versions, own files, nothing that only this machine has."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

import lc_jupyter
from lc_jupyter.packaging.dockerfile import BuildContext, write_build_context
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import FolderTaken
from lc_jupyter.packaging.gathering import SnapshotRequest
from lc_jupyter.packaging.layer_cache import LayerCache
from tests.jupyter.cells import run_cell
from tests.jupyter.shells import Shell
from tests.jupyter.test_packaging_environment import install

CELL = """
    import beside_the_folder
    import outlying

    def train(trial):
        return b"model"

    def evaluate(model):
        return [beside_the_folder.VALUE, len(model)]
"""


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: str = "") -> BuildContext:
    """Write the folder of a cell that needs a local module and a distribution of some origin."""
    site, notebook = tmp_path / "site-packages", tmp_path / "notebook"
    site.mkdir()
    notebook.mkdir()
    install(site, "outlying", {"outlying.py": "VALUE = 1\n"})
    if origin:
        (site / "outlying-1.0.dist-info" / "direct_url.json").write_text(origin)
    (notebook / "beside_the_folder.py").write_text("VALUE = 40\n")
    (notebook / "table.csv").write_text("1,2\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.syspath_prepend(notebook)
    names = run_cell(CELL)
    request = SnapshotRequest(
        train=names["train"],
        evaluate=names["evaluate"],
        model_format="raw",
        cell=dedent(CELL),
        include=(Path("table.csv"),),
    )
    here = Environment.current()
    environment = replace(here, paths=(site, *here.paths), folder=notebook)
    cache = LayerCache(tmp_path / "cache")
    return write_build_context(request, tmp_path / "context", environment=environment, cache=cache)


def test_the_lock_names_exact_versions_of_what_the_cell_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = written(tmp_path, monkeypatch)

    (other,) = (line for line in context.requirements if not line.startswith("cloudpickle=="))
    assert other == "outlying==1.0"
    assert (context.folder / "build/requirements.txt").read_text().splitlines() == list(
        context.requirements
    )


def test_the_dockerfile_builds_on_the_same_version_of_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (written(tmp_path, monkeypatch).folder / "Dockerfile").read_text().splitlines()

    assert lines[0] == f"FROM python:{sys.version_info[0]}.{sys.version_info[1]}-slim"
    assert lines[-1] == 'ENTRYPOINT ["python", "-m", "lc_jupyter.runner"]'


@pytest.mark.parametrize(
    ("origin", "requirement", "wanted"),
    [
        (
            {"url": "https://example.org/a", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "outlying @ git+https://example.org/a@abc",
            (),
        ),
        ({"url": "https://example.org/a.whl"}, "outlying @ https://example.org/a.whl", ()),
        ({"url": "file:///home/me/a.whl"}, "outlying==1.0", ("outlying",)),
        ({"url": "https://me:word@example.org/a.whl"}, "outlying==1.0", ("outlying",)),
        ({"url": "file:///home/conda/feedstock_root/a"}, "outlying==1.0", ()),
    ],
)
def test_what_no_index_has_is_named_and_no_password_is_written(
    origin: object,
    requirement: str,
    wanted: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    context = written(tmp_path, monkeypatch, json.dumps(origin))

    assert requirement in context.requirements
    assert context.wheels_wanted == wanted


def test_an_evaluation_runs_from_the_folder_with_what_the_lock_installs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path, monkeypatch).folder
    inputs = tmp_path / "in"
    inputs.mkdir()
    (inputs / "model").write_bytes(b"ab")
    job = {"seed": 1, "cpus": 1, "limits": {"model_bytes_max": 100}}
    (inputs / "job.json").write_text(json.dumps(job))
    paths = (folder / "lc/runner", folder / "opt/local", tmp_path / "site-packages")
    variables = {"LC_WORK": str(folder / "lc/work"), "LC_IN": str(inputs)}

    done = subprocess.run(
        [sys.executable, "-m", "lc_jupyter.runner", "evaluate"],
        env={"PYTHONPATH": os.pathsep.join(map(str, paths)), **variables},
        cwd=folder / "lc/work",
        capture_output=True,
        check=False,
    )

    assert json.loads(done.stdout)["values"] == [40, 2], done.stderr
    assert (folder / "lc/work/table.csv").read_text() == "1,2\n"


def test_a_folder_that_holds_something_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "context").mkdir()
    (tmp_path / "context" / "mine").touch()

    with pytest.raises(FolderTaken, match="name a new folder"):
        written(tmp_path, monkeypatch)


def test_from_a_notebook_the_next_commands_are_told(tmp_path: Path) -> None:
    names = run_cell("def train(trial): return b'x'\ndef evaluate(model): return [0.5]")

    said = repr(
        lc_jupyter.write_dockerfile(
            names["train"], names["evaluate"], tmp_path / "c", model_format="raw"
        )
    )

    assert f"docker build --platform linux/amd64 -t my-job {tmp_path / 'c'}" in said
    assert "lc-node image load my-job.tar --name my-job" in said


def test_a_cell_becomes_a_folder_without_a_node_and_without_being_posted(
    notebook: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_NODE", str(tmp_path / "nowhere"))
    cell = "def train(trial): return b''\ndef evaluate(model): return 0.5"
    ran = notebook.run(f"%%lc_submit --dockerfile made --format raw --base python:3.11\n{cell}")

    assert ran.ok, ran.err
    assert "holds a Dockerfile and all that it copies" in ran.out
    assert "python:3.11" in (tmp_path / "made" / "Dockerfile").read_text()
