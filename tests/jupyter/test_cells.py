"""A submitted cell: run in the kernel first, and looked at before anything is packaged."""

import pytest

from lc_jupyter.cells import functions_from_cell
from lc_jupyter.errors import UserError
from lc_jupyter.functions import JobFunctions, validate_functions
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Shell

SUBMIT = "%%lc_submit --bounty 5 --expires 10m\n"
FUNCTIONS = """
def train(trial):
    return None

def evaluate(model):
    return 0.0
"""


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("x = 1", "The cell defines no function 'train'. A job needs train(trial)"),
        ("def train(trial): ...", "The cell defines no function 'evaluate'"),
        ("train = evaluate = 3", "The cell defines no function 'train'"),
        ("def train(): ...\ndef evaluate(model): ...", "train() is called with one argument: "),
        ("def train(a, b): ...\ndef evaluate(model): ...", "define train(trial)."),
        ("def train(a): ...\ndef evaluate(m, x): ...", "define evaluate(model)."),
        (FUNCTIONS + "def save(model, path): ...", "save comes without load: define both"),
        (FUNCTIONS + "def load(path): ...", "load comes without save: define both"),
        (
            FUNCTIONS + "def predict(x): ...",
            "predict(x) is called with 2 arguments: define predict(model, data).",
        ),
        ("import asyncio\nawait asyncio.sleep(0)", "A submitted cell cannot await"),
    ],
)
def test_a_cell_that_is_no_job_is_refused_in_one_line(
    cell: str, why: str, notebook: Shell, desk: Desk
) -> None:
    ran = notebook.run(SUBMIT + cell)

    assert ran.is_one_line
    assert why in ran.err
    assert desk.desk.posted == []


@pytest.mark.parametrize(
    ("cell", "raised"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("def train(:", "SyntaxError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_cell_that_raises_shows_its_own_traceback_and_posts_nothing(
    cell: str, raised: str, notebook: Shell, desk: Desk
) -> None:
    ran = notebook.run(SUBMIT + cell)

    assert raised in ran.out
    assert "lc_jupyter" not in ran.out
    assert f"The cell raised {raised}, see above; nothing was posted." in ran.err
    assert desk.desk.posted == []


def test_after_a_cell_that_raised_a_notebook_that_is_run_whole_stops(
    notebook: Shell, desk: Desk
) -> None:
    assert desk.home.exists()
    assert not notebook.run(SUBMIT + "1 / 0").ok


def test_what_a_cell_defines_is_there_afterwards(notebook: Shell) -> None:
    functions_from_cell(notebook.ipython, FUNCTIONS)

    assert notebook.run("evaluate(train(None))").ok


def test_functions_that_earlier_cells_left_do_not_count(notebook: Shell) -> None:
    notebook.run("def load(path):\n    return path")
    functions = functions_from_cell(notebook.ipython, FUNCTIONS)

    assert functions.load is None


def test_a_cell_may_use_a_helper_that_is_called_like_a_function_of_the_job(
    notebook: Shell,
) -> None:
    notebook.run("def load(path):\n    return path")
    functions_from_cell(notebook.ipython, FUNCTIONS + "\nx = load('x')")

    assert notebook.names["x"] == "x"


def test_the_same_cell_may_be_submitted_again(notebook: Shell) -> None:
    cell = "from operator import neg as train, pos as evaluate"
    functions_from_cell(notebook.ipython, cell)

    assert functions_from_cell(notebook.ipython, cell).train(1) == -1


def test_modules_that_a_cell_is_the_first_to_import_are_noted(notebook: Shell) -> None:
    notebook.run("import sys\nsys.modules.pop('this', None)")
    cell = (
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n    import this\n"
    )

    assert "this" in functions_from_cell(notebook.ipython, cell + FUNCTIONS).new_modules


@pytest.mark.parametrize(
    ("cell", "guessed"),
    [
        (FUNCTIONS, "pickle"),
        (
            "import numpy as np\ndef train(t): return np.ones(1)\ndef evaluate(m): return 0.0",
            "npz",
        ),
        ("data = numpy.ones(1)\ndef train(t): return data\ndef evaluate(m): return 0.0", "npz"),
        (FUNCTIONS + "def save(m, path): ...\ndef load(path): ...", "raw"),
    ],
)
def test_the_format_is_guessed_from_what_the_functions_use(
    cell: str, guessed: str, notebook: Shell
) -> None:
    notebook.run("import numpy")

    assert functions_from_cell(notebook.ipython, cell).guess_format() == guessed


def test_a_library_that_an_earlier_cell_imported_counts_as_well(notebook: Shell) -> None:
    notebook.run("import numpy as np\nfrom sklearn.linear_model import Ridge")
    cell = "def train(t): return Ridge().fit(np.ones((1, 1)), [1])\ndef evaluate(m): return 0.0"

    assert functions_from_cell(notebook.ipython, cell).guess_format() == "skops"


def test_a_cells_own_predict_goes_along(notebook: Shell) -> None:
    functions = functions_from_cell(notebook.ipython, FUNCTIONS + "def predict(model, data): ...")

    assert functions.predict is notebook.names["predict"]


def test_a_function_that_does_not_tell_its_arguments_is_let_pass() -> None:
    validate_functions(JobFunctions(train=dict, evaluate=min))


def test_functions_are_validated_without_a_notebook_as_well() -> None:
    with pytest.raises(UserError, match=r"train\(\) is called with one argument"):
        validate_functions(JobFunctions(train=lambda: None, evaluate=abs))
