"""Fuzzing goes on where an earlier sitting ended, with whoever has had least of a processor."""

from collections.abc import Callable
from pathlib import Path

from tests.fuzz.campaign import Report
from tests.fuzz.endurance import Spent, fuzz_until, next_target, read_spent


def turns_noted_in(taken: list[str]) -> Callable[[int, str], Report]:
    """Return turns that each take a hundred seconds of a processor, and are over at once."""

    def turn(_seconds: int, name: str) -> Report:
        taken.append(name)
        problem = "BROKEN" if name == "broken" else ""
        return Report(
            name=name, executions=7, processor_seconds=100, memory_mib=70, problem=problem
        )

    return turn


def test_who_has_had_least_is_next() -> None:
    spent = {"vote": Spent(processor_seconds=300), "block": Spent(processor_seconds=200)}

    assert next_target(["vote", "block"], spent, 600) == "block"


def test_nobody_is_next_when_all_have_had_enough() -> None:
    assert next_target(["vote"], {"vote": Spent(processor_seconds=600)}, 600) is None


def test_each_target_has_turns_until_it_has_had_enough(tmp_path: Path) -> None:
    taken: list[str] = []

    list(fuzz_until(250, ["vote", "block"], 1, tmp_path / "spent.json", turns_noted_in(taken)))

    assert sorted(taken) == ["block"] * 3 + ["vote"] * 3


def test_a_later_sitting_goes_on_after_the_turns_of_an_earlier_one(tmp_path: Path) -> None:
    path, later = tmp_path / "spent.json", list[str]()
    earlier = fuzz_until(250, ["vote"], 1, path, turns_noted_in([]))
    next(earlier)
    earlier.close()

    list(fuzz_until(250, ["vote"], 1, path, turns_noted_in(later)))

    assert later == ["vote"] * 2
    assert read_spent(path) == {"vote": Spent(processor_seconds=300, inputs=21)}


def test_who_breaks_a_promise_has_no_further_turn(tmp_path: Path) -> None:
    taken: list[str] = []

    list(fuzz_until(250, ["broken"], 1, tmp_path / "spent.json", turns_noted_in(taken)))

    assert taken == ["broken"]
