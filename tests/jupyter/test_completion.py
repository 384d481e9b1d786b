"""Tab in a line of ours, as IPython's completer is asked in every front end."""

import pytest
from IPython.core.completer import provisionalcompleter

from tests.api.sample_service import JOB
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Shell


def completed(notebook: Shell, line: str) -> list[str]:
    """Return what Tab at the end of a line offers."""
    completer = notebook.ipython.Completer
    with provisionalcompleter():
        return [found.text for found in completer.completions(line, len(line))]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("%%lc_submit --bo", ["--bounty"]),
        ("%%lc_submit --bounty 20 --ex", ["--expires", "--exclude"]),
        ("%%lc_submit --format sa", ["safetensors"]),
        ("%%lc_submit --with scikit-le", ["scikit-learn"]),
        ("%lc_submit --contract std", ["stdout/1"]),
        ("%lc_start --dev", ["--devnet"]),
        ("%lc_policy --work ", ["on", "off"]),
        ("%lc_policy --work of", ["off"]),
        ("%lc_jobs --", ["--mine", "--all"]),
    ],
)
def test_options_and_their_values_are_offered(
    notebook: Shell, line: str, offered: list[str]
) -> None:
    assert sorted(completed(notebook, line)) == sorted(offered)


def test_ids_of_jobs_are_offered(notebook: Shell, desk: Desk) -> None:
    assert desk.home.exists()

    assert JOB[:12] in completed(notebook, "%lc_wait aa")


def test_a_node_that_is_gone_offers_nothing_and_says_nothing(
    notebook: Shell, desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.stop()

    assert completed(notebook, "%lc_wait zz") == []
    completed(notebook, "%lc_wait aa")
    assert capsys.readouterr().err == ""


def test_other_lines_are_left_to_others(notebook: Shell) -> None:
    notebook.run("lengthy_name = 1")

    assert "lengthy_name" in completed(notebook, "lengthy_n")


def test_an_unloaded_extension_offers_nothing(notebook: Shell) -> None:
    notebook.run("%unload_ext lc_jupyter")
    offered = completed(notebook, "%lc_policy --work ")
    notebook.run("%load_ext lc_jupyter")

    assert "off" not in offered
