"""``lc-node simulate``: figures for programs, and a seed for whoever wants to see it again."""

import json

import pytest

from lc_node.cli import simulate_cmd
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.sim.report import Report, Run

SMALL = ["simulate", "--nodes", "4", "--seeds", "2", "--first-seed", "5", "--processes", "1"]


def test_a_campaign_that_holds_answers_with_its_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run([*SMALL, "--json"]) == Exit.OK

    figures = json.loads(capsys.readouterr().out)
    assert (figures["seeds"], figures["first_seed"], figures["last_seed"]) == (2, 5, 6)
    assert figures["blocks"] > 0
    assert figures["messages"] > 0
    assert figures["forks"] == figures["stalls"] == figures["honest_punished"] == 0
    assert figures["broken_invariants"] == figures["failing_seeds"] == []


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    run(SMALL)

    said = capsys.readouterr()
    assert "seed 6:" in said.err
    assert "seed 6:" not in said.out


def test_a_failing_seed_is_told_with_the_command_that_replays_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = Run(seed=5, stalled=True)

    def campaign(*_: object, hear: object, **__: object) -> Report:
        assert callable(hear)
        hear(failing)
        return Report(runs=(failing,))

    monkeypatch.setattr(simulate_cmd, "run_campaign", campaign)

    assert run([*SMALL, "--faults", "loss,skew", "--epoch-heights", "4"]) == Exit.REFUSED
    expected = (
        "lc-node simulate --nodes 4 --faults loss,skew --byzantine 0.3 --epoch-heights 4 "
        "--seeds 1 --first-seed 5"
    )
    assert expected in capsys.readouterr().err


def test_epochs_may_end_every_few_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SMALL, "--epoch-heights", "2", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["blocks"] >= 2 * (2 * 2 + 2)


@pytest.mark.parametrize(
    "wrong",
    [
        ["--byzantine", "0.34"],
        ["--faults", "gravity"],
        ["--nodes", "3"],
        ["--market", "--epoch-heights", "4"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_simulated_is_wrong_usage(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", *wrong]) == Exit.USAGE
    assert capsys.readouterr().err
