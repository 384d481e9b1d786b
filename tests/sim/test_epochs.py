"""Whole networks whose members and weights change every few blocks: still one chain, still alive."""

import pytest
from msgspec.structs import replace

from lc_node.chain.types import MillisSpan
from lc_node.sim.campaign import simulate
from lc_node.sim.report import Report
from lc_node.sim.scenario import Scenario
from lc_node.sim.strategies import STRATEGIES

SHORT = Scenario(honest=5, followers=2, epoch_heights=4, goal=10, calm_ms=MillisSpan(120_000))
"""At least two ends of epochs after the network has healed."""

SEEDS = range(4)


def assert_all_is_well(report: Report) -> None:
    print(report)  # noqa: T201 - a failing run is reproduced by its seed
    assert not report.failing_seeds


def test_members_and_weights_may_change_under_faults() -> None:
    report = simulate(range(12), replace(SHORT, epoch_heights=6, goal=20))

    assert_all_is_well(report)
    assert report.crashes
    assert all(run.blocks > 18 for run in report.runs)


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_no_way_to_be_bad_breaks_the_change_of_epochs(strategy: str) -> None:
    assert_all_is_well(simulate(SEEDS, replace(SHORT, adversaries=(strategy,))))


def test_two_liars_with_almost_a_third_of_the_weight_break_no_change_of_epochs() -> None:
    bad = ("equivocator", "revisionist")

    assert_all_is_well(simulate(SEEDS, replace(SHORT, honest=6, adversaries=bad)))


def test_power_failures_everywhere_lose_no_epoch() -> None:
    assert_all_is_well(simulate(SEEDS, replace(SHORT, blackouts=5, crash_chance=0.01)))


def test_who_forgets_its_votes_is_silent_for_the_epoch_and_hurts_nobody() -> None:
    assert_all_is_well(simulate(SEEDS, replace(SHORT, honest=7, adversaries=(), forgetful=1)))


def test_epochs_of_a_single_block_work() -> None:
    assert_all_is_well(simulate(SEEDS, replace(SHORT, epoch_heights=1)))


def test_epochs_change_through_the_codec_as_without_it() -> None:
    plain, coded = (
        simulate(range(2), replace(SHORT, through_codec=codec)) for codec in (False, True)
    )

    assert [r.fingerprint for r in plain.runs] == [r.fingerprint for r in coded.runs]
