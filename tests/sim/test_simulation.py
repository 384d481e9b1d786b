"""Whole networks under faults: they agree, they punish only the guilty, they go on once healed."""

import pytest

from lc_node.sim.strategies import STRATEGIES
from lc_node.sim.campaign import simulate
from lc_node.sim.report import Report
from lc_node.sim.scenario import Scenario

SEEDS = range(8)


def assert_all_is_well(report: Report) -> None:
    print(report)  # noqa: T201 - a failing run is reproduced by its seed
    assert not report.failing_seeds


def test_seven_nodes_agree_under_loss_delays_crashes_and_an_equivocator() -> None:
    report = simulate(range(20))

    assert_all_is_well(report)
    assert report.crashes > len(report.seeds)
    assert sum(run.evidence for run in report.runs) > 0


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_no_way_to_be_bad_breaks_the_network(strategy: str) -> None:
    assert_all_is_well(simulate(SEEDS, Scenario(adversaries=(strategy,))))


@pytest.mark.parametrize("partner", ["spammer", "equivocator", "revisionist"])
def test_two_adversaries_with_almost_a_third_of_the_weight_break_nothing(partner: str) -> None:
    scenario = Scenario(honest=5, adversaries=("equivocator", partner))

    assert_all_is_well(simulate(SEEDS, scenario))


def test_the_network_survives_that_the_power_fails_everywhere_again_and_again() -> None:
    scenario = Scenario(honest=5, adversaries=("silent", "silent"), blackouts=5)

    assert_all_is_well(simulate(SEEDS, scenario))


def test_a_member_that_lost_its_votes_signs_no_more_and_is_not_convicted() -> None:
    scenario = Scenario(honest=7, adversaries=(), forgetful=1, crash_chance=0.003)

    assert_all_is_well(simulate(SEEDS, scenario))


def test_messages_survive_the_wire() -> None:
    plain = simulate(range(2), Scenario(through_codec=False))
    through_codec = simulate(range(2), Scenario(through_codec=True))

    assert plain == through_codec


def test_a_seed_replays_exactly() -> None:
    assert simulate([3, 4]) == simulate([3, 4])


def test_different_seeds_are_different_runs() -> None:
    first, second = simulate([3, 4]).runs

    assert first.fingerprint != second.fingerprint
