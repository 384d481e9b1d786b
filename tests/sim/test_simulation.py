"""Whole networks under faults: they agree, they punish only the guilty, they go on once healed."""

from collections.abc import Iterable

import pytest

from lc_node.chain.types import MillisSpan
from lc_node.sim.campaign import simulate
from lc_node.sim.faults import ALL_FAULTS, Fault, parse_faults
from lc_node.sim.report import Report
from lc_node.sim.scenario import Scenario
from lc_node.sim.strategies import STRATEGIES
from tests.sim.seeds import fresh

FIXED = range(3)


def assert_all_is_well(report: Report) -> None:
    print(report)  # noqa: T201 - a failing run is reproduced by its seed
    assert not report.failing_seeds, f"{report.failing_seeds} of {report.seeds} fail: {report}"


@pytest.mark.parametrize("seeds", [range(12), fresh(8)], ids=["fixed", "fresh"])
def test_seven_nodes_agree_under_all_faults_with_two_liars(seeds: Iterable[int]) -> None:
    report = simulate(seeds, Scenario.of(nodes=7, byzantine=0.3, faults=ALL_FAULTS))

    assert_all_is_well(report)
    assert report.crashes > len(report.seeds)


@pytest.mark.parametrize("strategy", [*sorted(STRATEGIES), "twin"])
def test_no_way_to_be_bad_breaks_the_network(strategy: str) -> None:
    assert_all_is_well(simulate([*FIXED, *fresh(1)], Scenario(adversaries=(strategy,))))


@pytest.mark.parametrize("fault", Fault)
def test_no_fault_alone_breaks_the_network(fault: Fault) -> None:
    assert_all_is_well(simulate(fresh(2), Scenario(faults=(fault,), heals_at=MillisSpan(10_000))))


@pytest.mark.parametrize("partner", ["spammer", "equivocator", "revisionist"])
def test_two_adversaries_with_almost_a_third_of_the_weight_break_nothing(partner: str) -> None:
    scenario = Scenario(honest=5, adversaries=("equivocator", partner))

    assert_all_is_well(simulate([*FIXED, *fresh(2)], scenario))


def test_forty_nodes_agree_with_twelve_liars() -> None:
    scenario = Scenario.of(nodes=40, byzantine=0.3, faults=ALL_FAULTS)

    assert_all_is_well(simulate(fresh(1), scenario))


def test_the_network_survives_that_the_power_fails_everywhere_again_and_again() -> None:
    scenario = Scenario(honest=5, adversaries=("silent", "silent"), blackouts=5)

    assert_all_is_well(simulate([*FIXED, *fresh(2)], scenario))


def test_a_member_that_lost_its_votes_signs_no_more_and_is_not_convicted() -> None:
    scenario = Scenario(honest=7, adversaries=(), forgetful=1, crash_chance=0.003)

    assert_all_is_well(simulate([*FIXED, *fresh(2)], scenario))


@pytest.mark.parametrize("strategy", ["equivocator", "spammer"])
def test_who_votes_twice_is_convicted(strategy: str) -> None:
    assert simulate(FIXED, Scenario(adversaries=(strategy,))).evidence > 0


def test_bytes_that_are_no_message_harm_nobody() -> None:
    report = simulate(FIXED, Scenario(adversaries=("garbler",)))

    assert_all_is_well(report)
    assert report.malformed > 0


def test_messages_survive_the_wire() -> None:
    plain = simulate(range(2), Scenario(through_codec=False))
    through_codec = simulate(range(2), Scenario(through_codec=True))

    assert plain == through_codec


def test_a_seed_replays_exactly_in_any_process() -> None:
    assert simulate([3, 4]) == simulate([3, 4], processes=2)


def test_different_seeds_are_different_runs() -> None:
    first, second = simulate([3, 4]).runs

    assert first.fingerprint != second.fingerprint


def test_without_faults_nothing_is_lost_and_nobody_crashes() -> None:
    report = simulate(FIXED, Scenario(adversaries=(), faults=(), heals_at=MillisSpan(1_000)))

    assert_all_is_well(report)
    assert report.crashes == 0


def test_faults_are_named_with_commas_between() -> None:
    assert parse_faults("loss, skew") == (Fault.LOSS, Fault.SKEW)


def test_an_unknown_fault_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="partitions"):
        parse_faults("loss,gravity")


@pytest.mark.parametrize(("nodes", "members"), [(4, 4), (7, 7), (100, 100), (150, 100)])
def test_a_share_of_nodes_and_weight_is_dishonest(nodes: int, members: int) -> None:
    scenario = Scenario.of(nodes=nodes, byzantine=0.3, faults=())

    assert scenario.honest + len(scenario.adversaries) == members
    assert 3 * len(scenario.adversaries) < members
