"""A model predicts in the sandbox: plain data goes to the node and comes back, and every failure is one message."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from lc_jupyter import predicting
from lc_jupyter.errors import UserError
from lc_jupyter.jobs import Job
from lc_node.api.client import Client
from lc_node.api.schema import Phase
from lc_node.api.schema_jobs import CheckProblem, Prediction
from tests.api.sample_service import JOB
from tests.jupyter.desk import WINNER, Desk, story_of
from tests.jupyter.shells import Shell


@pytest.fixture
def won(desk: Desk) -> Desk:
    desk.tell(story_of(Phase.SETTLED, winner=WINNER))
    return desk


@pytest.fixture
def job(won: Desk) -> Iterator[Job]:
    with Client(won.home) as client:
        yield Job(client, JOB)


def test_data_goes_to_the_node_and_predictions_come_back(job: Job) -> None:
    first, second = cast("list[object]", job.predict(np.arange(3), "x"))  # the desk's echo

    assert_array_equal(first, np.arange(3))
    assert second == "x"


def test_data_that_is_not_plain_is_named_before_anything_is_sent(job: Job) -> None:
    with pytest.raises(UserError, match=r"the data\[0\] is a object, which is no plain data"):
        job.predict(object())


def test_too_much_data_is_refused_and_says_how_to_split_it(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "PREDICT_INPUTS_BYTES_MAX", 1024)

    with pytest.raises(UserError, match=r"takes 1\.0 KiB at most: predict in parts"):
        job.predict(np.zeros(1000))


def test_a_job_that_goes_on_cannot_predict_yet(job: Job, desk: Desk) -> None:
    desk.tell(story_of())

    with pytest.raises(UserError, match="is not settled yet"):
        job.predict([1])


@pytest.mark.parametrize(
    ("problem", "text", "said"),
    [
        (
            CheckProblem.CRASHED,
            "exit code 1",
            "in the sandbox: exit code 1.\nIts last words:\nKeyError",
        ),
        (CheckProblem.TIMED_OUT, "", "longer than an evaluation of this job may: predict less"),
        (CheckProblem.OUT_OF_MEMORY, "", "ran out of the job's memory: predict less"),
        (
            CheckProblem.BAD_OUTPUT,
            "predictions is missing",
            r"left nothing .* \(predictions is missing\)",
        ),
        (CheckProblem.NO_SANDBOX, "install bubblewrap", "^install bubblewrap$"),
    ],
)
def test_a_failed_run_says_why(
    job: Job, desk: Desk, problem: CheckProblem, text: str, said: str
) -> None:
    desk.desk.prediction = Prediction(problem=problem, text=text, log_tail="KeyError: 'age'")

    with pytest.raises(UserError, match=said):
        job.predict([1])


def test_what_is_no_plain_data_is_not_read_any_further(job: Job, desk: Desk) -> None:
    desk.desk.prediction = Prediction(problem=CheckProblem.NONE, data=b"\x80\x05N.")

    with pytest.raises(UserError, match="is no plain data"):
        job.predict([1])


def test_a_magic_returns_what_is_predicted(notebook: Shell, won: Desk) -> None:
    assert won.home.exists()
    notebook.run("X = [1, 2, 3]")

    assert notebook.run("guesses = %lc_predict aaaa X[:2]").ok
    assert notebook.names["guesses"] == [[1, 2]]


def test_a_magic_puts_predictions_into_a_variable(notebook: Shell, won: Desk) -> None:
    assert won.home.exists()
    ran = notebook.run("X = [1, 2, 3]\n%lc_predict aaaa X --into guesses")

    assert "guesses is what the model of job aaaaaaaaaaaa predicts: a list." in ran.out
    assert notebook.names["guesses"] == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("%lc_predict", "Something is missing; write for example %lc_predict X_new"),
        ("%lc_predict aaaa nothing", "nothing cannot be evaluated (NameError"),
        (
            "%lc_predict aaaa [1] --into 2x",
            "'2x' is no variable name; write for example %lc_predict X_new --into",
        ),
    ],
)
def test_a_slip_is_one_line(notebook: Shell, won: Desk, cell: str, why: str) -> None:
    assert won.home.exists()
    ran = notebook.run(cell)

    assert ran.is_one_line
    assert why in ran.err
