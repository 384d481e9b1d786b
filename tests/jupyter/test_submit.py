"""From a cell to a posted job: really packaged, sent through a real door, checked and posted."""

import re
from pathlib import Path

import pytest

import lc_jupyter
from lc_jupyter.errors import UserError
from lc_jupyter.proposals import show_copies
from lc_node.api import calls, schema_jobs
from lc_node.api.schema_jobs import CheckProblem
from tests.api.sample_service import JOB
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Ran, Shell

SUBMIT = "%%lc_submit --bounty 5 --expires 10m --format raw"
FUNCTIONS = """
def train(trial):
    trial.report(0.5, b"model")
    return b"model"

def evaluate(model):
    return [0.5] * 16
"""


def submit(notebook: Shell, options: str = "", cell: str = FUNCTIONS) -> Ran:
    """Submit a cell."""
    return notebook.run(f"{SUBMIT} {options}\n{cell}")


def report(problem: CheckProblem, text: str, log_tail: str = "") -> schema_jobs.CheckReport:
    """Return a check that found a job unfit."""
    return schema_jobs.CheckReport(problem=problem, text=text, log_tail=log_tail)


def test_a_job_is_posted_as_it_was_meant(notebook: Shell, desk: Desk) -> None:
    submit(
        notebook,
        "--name 'two words' --trial-time 2m --memory 1G --cpus 0.5 --tolerance 7ppm --model-bytes 1M",
    )
    [posted] = desk.desk.posted

    assert posted.title == "two words"
    assert (posted.bounty, posted.expiry_seconds, posted.trial_seconds) == (5_000_000, 600, 120)
    assert (posted.model_format, posted.model_bytes_max) == ("raw", 1024**2)
    assert posted.tolerance.relative_ppm == 7
    assert (posted.resources.millicpus, posted.resources.memory_bytes) == (500, 1024**3)


def test_all_blobs_of_the_image_are_in_the_node_before_the_job_is_posted(
    notebook: Shell, desk: Desk
) -> None:
    submit(notebook)
    [posted] = desk.desk.posted

    with lc_jupyter.connect()._client as client:
        assert client.call(calls.MissingBlobs(digests=(posted.image.manifest,))) == ()


def test_the_same_cell_makes_the_same_image_and_is_sent_once(notebook: Shell, desk: Desk) -> None:
    submit(notebook)
    again = submit(notebook)
    first, second = desk.desk.posted

    assert first.image == second.image
    assert "new to the node  0 B" in again.out


@pytest.mark.parametrize(
    "said",
    [
        "Packaging what the job needs …",
        "captured         answer (int, 5 B)",
        "cloudpickle ",
        "Price: bounty 5 + fee 0.3; balance 100, after it 94.7.",
        "Every node that takes this job can read its code and its data",
        "Checking here: training until the first model, 30s at most …",
        "Check: first model after 1.5 s, 2.0 KiB; evaluated twice alike in 4.0 s each, loss 0.500000.",
        "Posted as job aaaaaaaaaaaa; bidding ends in 10m00s.",
    ],
)
def test_every_step_is_told(said: str, notebook: Shell, desk: Desk) -> None:
    assert desk.home.exists()
    cell = "answer = 42\n" + FUNCTIONS.replace("0.5] * 16", "answer]")

    assert said in submit(notebook, cell=cell).out


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ("", 20),
        ("--no-check", 60),
        ("--evaluate-time 7s", 7),
        ("--evaluate-time 7s --no-check", 7),
    ],
)
def test_an_evaluation_may_take_what_was_measured_or_said(
    options: str, seconds: int, notebook: Shell, desk: Desk
) -> None:
    submit(notebook, options)

    assert [request.evaluate_seconds for request in desk.desk.posted] == [seconds]


def test_the_check_waits_as_long_as_it_is_told(notebook: Shell, desk: Desk) -> None:
    submit(notebook, "--check-time 2m")

    assert [call.seconds for call in desk.desk.asked if isinstance(call, calls.Check)] == [120]


def test_a_dry_run_posts_nothing(notebook: Shell, desk: Desk) -> None:
    ran = submit(notebook, "--dry-run")

    assert "Dry run: nothing was posted." in ran.out
    assert desk.desk.posted == []


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (
            report(CheckProblem.CRASHED, "Training failed: it raised.", "ValueError: no data"),
            "Training failed: it raised.",
        ),
        (
            report(CheckProblem.OUT_OF_MEMORY, "Training ran out of memory."),
            "Training ran out of memory. Give it more, such as --memory 4G.",
        ),
        (
            report(CheckProblem.NO_REPORT, "Not checked: train reported no model within 30 s."),
            "within 30 s. Or give it longer with --check-time 2m, or post it unchecked with --no-check.",
        ),
    ],
)
def test_a_job_that_fails_its_check_is_not_posted(
    found: schema_jobs.CheckReport, why: str, notebook: Shell, desk: Desk
) -> None:
    desk.desk.report = found
    ran = submit(notebook)

    assert ran.is_one_line
    assert why in ran.err
    assert desk.desk.posted == []


def test_the_last_words_of_a_job_that_fails_its_check_are_shown_above_the_message(
    notebook: Shell, desk: Desk
) -> None:
    desk.desk.report = report(CheckProblem.CRASHED, "Training failed: it raised.", "at 1\nat 2\n")

    assert "The job's last words\nat 1\nat 2" in submit(notebook).out


@pytest.mark.parametrize(
    ("before", "used", "why"),
    [
        ("import threading\nx = threading.Lock()", "x", "x, which train uses, is a lock"),
        ("x = {'inner': open('/dev/null', 'wb')}", "x", "x['inner'], which train uses, is a "),
        (
            "x = bytes(65 * 1024 * 1024)",
            "x",
            "the captured data is over 64.0 MiB (x 64.0 MiB); load it inside",
        ),
        ("api_key = 'correct horse'", "api_key", "this looks secret and every node"),
    ],
)
def test_what_cannot_or_must_not_be_sent_is_named(
    *, before: str, used: str, why: str, notebook: Shell, desk: Desk
) -> None:
    cell = FUNCTIONS.replace("def train(trial):", f"def train(trial):\n    {used}")
    ran = submit(notebook, cell=f"{before}\n{cell}")

    assert ran.is_one_line
    assert why in ran.err
    assert desk.desk.posted == []


def test_a_harmless_secret_may_be_allowed_and_is_shown(notebook: Shell, desk: Desk) -> None:
    cell = "api_key = 'correct horse'\n" + FUNCTIONS.replace("return b", "api_key; return b")
    ran = submit(notebook, "--allow-secret api_key --allow-secret 'the cell'", cell)

    assert "allowed, though secret-like" in ran.out
    assert len(desk.desk.posted) == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--include nowhere.csv", "--include nowhere.csv"),
        ("--with no-such-distribution", "pip install no-such-distribution"),
    ],
)
def test_what_is_asked_for_and_not_there_is_named(
    options: str, why: str, notebook: Shell, desk: Desk
) -> None:
    ran = submit(notebook, options)

    assert ran.is_one_line
    assert why in ran.err
    assert desk.desk.posted == []


def test_an_included_file_is_shown(notebook: Shell, desk: Desk, tmp_path: Path) -> None:
    assert desk.home.exists()
    (tmp_path / "data.csv").write_text("1,2\n")

    assert "data.csv (4 B)" in submit(notebook, "--include data.csv").out


def test_of_a_large_image_it_is_told_what_all_nodes_together_would_fetch(
    notebook: Shell, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = submit(notebook, "--dry-run")
    monkeypatch.setattr("lc_jupyter.submit.LARGE_BYTES", 1024)
    large = submit(notebook, "--dry-run")
    [size] = re.findall(r"layers, (\S+ \S+)", large.out)

    assert desk.desk.posted == []
    assert "would be asked" not in small.out
    assert f"Every node that takes the job fetches {size}: from all 3 " in large.out


def test_a_large_image_is_counted_for_each_node() -> None:
    assert "from all 6 that are connected now 18.0 GiB" in show_copies(3 * 1024**3, 6).text


def test_the_posted_job_is_the_one_that_is_meant_without_an_id(
    notebook: Shell, desk: Desk
) -> None:
    assert desk.home.exists()
    submit(notebook)

    assert lc_jupyter.last_job().id == JOB
    assert set(lc_jupyter.last_job().seconds) == {"packaging", "sending", "check", "posting"}


def test_python_posts_by_the_same_code(notebook: Shell, desk: Desk) -> None:
    notebook.run(
        "import lc_jupyter\nlc = lc_jupyter.connect()\n"
        + FUNCTIONS
        + "job = lc.submit(train, evaluate, bounty=0.5, expires='1m', name='mine', "
        "model_format='raw', cpus=2, check=False)\nlc.close()"
    )
    [posted] = desk.desk.posted

    assert (posted.title, posted.bounty, posted.expiry_seconds) == ("mine", 500_000, 60)
    assert posted.resources.millicpus == 2000
    assert str(notebook.names["job"]) == "<Job aaaaaaaaaaaa>"


def test_an_option_that_python_does_not_know_is_answered_with_the_nearest(
    notebook: Shell, desk: Desk
) -> None:
    assert desk.home.exists()
    notebook.run("import lc_jupyter\nlc = lc_jupyter.connect()\n" + FUNCTIONS)
    ran = notebook.run("lc.submit(train, evaluate, bounty=1, expires='1m', trialtime='1m')")
    notebook.run("lc.close()")

    assert "UserError: There is no option trialtime; did you mean trial_time?" in ran.out
    assert "Traceback" not in ran.out


def test_without_a_posted_job_there_is_no_last_one() -> None:
    with pytest.raises(UserError, match="No job was posted"):
        str(lc_jupyter.last_job())
