"""What benchmarks make of the times they take: medians of pairs, and which way a target points."""

import importlib
import inspect
from dataclasses import replace
from pathlib import Path

import pytest

from bench.harness import (
    PAIRS_MIN,
    Measured,
    Target,
    from_samples,
    measure_pairs,
    percentile,
)
from bench.report import BEGIN, END, known_targets, read_report, redrawn, table

RATE = Target(name="a.rate", unit="x/s", limit=0.8, at_least=True)
TIME = Target(name="a.time", unit="ms", limit=3, at_least=False)
MODULES = sorted(path.stem for path in (Path(__file__).parents[1] / "bench").glob("bench_*.py"))


def measured(target: Target, ratio: float) -> Measured:
    return from_samples(target, [ratio] * PAIRS_MIN, [1.0] * PAIRS_MIN)


def test_the_ratio_is_the_median_over_pairs_not_the_ratio_of_medians() -> None:
    result = from_samples(TIME, [1, 2, 3, 4, 50], [10, 1, 1, 1, 10])

    assert result.ratio == 3
    assert (result.ours, result.yardstick) == (3, 1)


def test_the_spread_is_that_of_the_pairs() -> None:
    result = from_samples(TIME, [1, 2, 3, 4, 50], [10, 1, 1, 1, 10])

    assert (result.low, result.high, result.pairs) == (0.1, 5, 5)


@pytest.mark.parametrize(("ratio", "is_met"), [(0.79, False), (0.8, True), (0.9, True)])
def test_a_rate_is_met_from_its_target_upwards(ratio: float, *, is_met: bool) -> None:
    assert measured(RATE, ratio).is_met is is_met


@pytest.mark.parametrize(("ratio", "is_met"), [(2.9, True), (3, True), (3.1, False)])
def test_a_time_is_met_from_its_target_downwards(ratio: float, *, is_met: bool) -> None:
    assert measured(TIME, ratio).is_met is is_met


def test_the_line_says_what_was_asked_and_whether_it_was_reached() -> None:
    words = measured(RATE, 0.5).line().split()

    assert words[:5] == ["a.rate", "0.500", ">=", "0.8", "short"]


def test_both_sides_are_measured_in_turn() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return 1.0

    measure_pairs(TIME, lambda: side("ours"), lambda: side("yardstick"), pairs=6)

    assert order == ["yardstick", "ours"] * 6


def test_fewer_than_five_pairs_are_no_measurement() -> None:
    with pytest.raises(AssertionError):
        from_samples(TIME, [1.0] * 4, [1.0] * 4)


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 50), (99, 99), (100, 100)])
def test_a_percentile_is_the_value_that_so_many_do_not_exceed(percent: int, value: int) -> None:
    assert percentile(range(100, 0, -1), percent) == value


def test_a_row_of_the_table_has_every_figure() -> None:
    row = table([measured(TIME, 2.5)]).splitlines()[-1]

    assert row == "| a.time | **2.5** | <= 3 | ok | 2.5 .. 2.5 of 5 | 2.5 | 1 | ms | 0 |"


def test_what_was_seen_besides_stands_beside_the_unit() -> None:
    row = table([replace(measured(TIME, 2.5), note="2 of it cold")]).splitlines()[-1]

    assert "| ms, 2 of it cold |" in row


def test_a_target_without_figures_has_a_row_that_says_so() -> None:
    rows = table([measured(TIME, 2.5)], [RATE, TIME]).splitlines()[2:]

    assert rows[0] == "| a.rate | | >= 0.8 | no figure yet | | | | x/s | |"
    assert rows[1].startswith("| a.time | **2.5** |")
    assert len(rows) == 2


def test_every_target_that_has_figures_has_a_benchmark() -> None:
    kept = {result.target.name for result in read_report()[1]}

    assert kept <= {target.name for target in known_targets()}


def test_only_the_figures_of_a_page_are_redrawn() -> None:
    page = f"head\n{BEGIN}\nold\n{END}\ntail\n"

    assert redrawn(page, "new") == f"head\n{BEGIN}\n\nnew\n\n{END}\ntail\n"


def test_redrawing_the_same_figures_changes_nothing() -> None:
    once = redrawn(f"head\n{BEGIN}\n{END}\n", "new")

    assert redrawn(once, "new") == once


@pytest.mark.parametrize("name", MODULES)
def test_every_benchmark_can_be_run_and_names_its_targets(name: str) -> None:
    module = importlib.import_module(f"bench.{name}")
    targets = [value for value in vars(module).values() if isinstance(value, Target)]

    assert inspect.signature(module.run).return_annotation == list[Measured]
    assert targets
    prefix = name.removeprefix("bench_").replace("_", ".")
    assert all(target.name.replace("_", ".").startswith(prefix) for target in targets)
