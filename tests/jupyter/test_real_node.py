"""The magics against a node process with a chain of its own: what real rules say, and what it costs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.runtime.devnet import Devnet, Role, running
from tests.jupyter.shells import Shell

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("real_node")]

ALONE = (Role(name="alone", bonded=100, votes=True),)
FUNCTIONS = """
def train(trial):
    trial.report(0.5, b"model")
    return b"model"

def evaluate(model):
    return [0.5] * 16
"""


@pytest.fixture(scope="module")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with running(tmp_path_factory.mktemp("net") / "n", ALONE) as started:
        yield started


@pytest.fixture
def node(devnet: Devnet, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the home of the node that the notebook finds."""
    home = devnet.place("alone").home.path
    monkeypatch.setenv("LC_NODE", str(home))
    return home


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--bounty 5 --expires 1s", "too near"),
        ("--bounty 5 --expires 9000d", "too far"),
        ("--bounty 0.001 --expires 10m", "too small"),
        ("--bounty 5000 --expires 10m", "Not enough credits: bounty 5,000 + fee"),
        ("--bounty 5 --expires 10m --tolerance 0ppm", "tolerance"),
        ("--bounty 5 --expires 10m --trial-time 900d", "trial_seconds"),
    ],
)
def test_the_chains_rules_are_asked_before_the_cell_runs(
    options: str, why: str, notebook: Shell, node: Path
) -> None:
    assert node.exists()
    ran = notebook.run(f"%%lc_submit {options}\nran = True\n{FUNCTIONS}")

    assert ran.is_one_line
    assert why in ran.err
    assert "ran" not in notebook.names


def test_a_job_is_checked_in_the_sandbox_posted_topped_up_and_cancelled(
    notebook: Shell, node: Path
) -> None:
    assert node.exists()
    posted = notebook.run(f"%%lc_submit --bounty 5 --expires 10m --format raw\n{FUNCTIONS}")
    topped = notebook.run("%lc_top_up 2")
    early = notebook.run("%lc_pull model")
    story = notebook.run("%lc_job")
    cancelled = notebook.run("%lc_cancel")
    late = notebook.run("%lc_pull model")

    assert "Check: first model after" in posted.out
    assert "Added 2 credits" in topped.out
    assert "is not settled yet (open, bidding ends in" in early.err
    assert "open, 7 credits" in story.out
    assert "Cancelled job" in cancelled.out
    assert "has no model to pull, it was cancelled" in late.err


def test_a_job_that_crashes_is_not_posted_and_shows_why(notebook: Shell, node: Path) -> None:
    assert node.exists()
    cell = FUNCTIONS.replace("return b", "raise ValueError('no such column')\n    return b")
    cell = cell.replace('    trial.report(0.5, b"model")\n', "")
    ran = notebook.run(f"%%lc_submit --bounty 5 --expires 10m --format raw\n{cell}")

    assert not ran.ok
    assert "no such column" in ran.err
    assert "No job was posted" in notebook.run("%lc_wait").err


@pytest.mark.slow
def test_a_node_that_dies_while_one_waits_ends_the_waiting_with_one_line(
    notebook: Shell, node: Path, devnet: Devnet
) -> None:
    assert node.exists()
    notebook.run(f"%%lc_submit --bounty 5 --expires 10m --format raw --no-check\n{FUNCTIONS}")
    devnet.kill("alone")
    waited = notebook.run("%lc_wait")
    devnet.start("alone")
    devnet.wait_ready()

    assert waited.is_one_line
    assert "Start one with `lc-node run`" in waited.err
    assert notebook.run("%lc_cancel").ok
