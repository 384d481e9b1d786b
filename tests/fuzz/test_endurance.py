"""Fuzzing goes on where an earlier sitting ended, with whoever has had least of a processor."""

from pathlib import Path

import pytest

from tests.fuzz import endurance
from tests.fuzz.campaign import Report
from tests.fuzz.endurance import Spent, fuzz_until, next_target, read_spent


def turn_of(name: str, *, seconds: int = 100, problem: str = "") -> Report:
    return Report(
        name=name, executions=7, processor_seconds=seconds, memory_mib=70, problem=problem
    )


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every turn takes a hundred seconds of a processor, said at once."""
    taken: list[str] = []

    def fuzz_for(_seconds: int, name: str) -> Report:
        taken.append(name)
        return turn_of(name, problem="BROKEN" if name == "broken" else "")

    monkeypatch.setattr(endurance, "fuzz_for", fuzz_for)
    return taken


def test_who_has_had_least_is_next() -> None:
    spent = {"vote": Spent(processor_seconds=300), "block": Spent(processor_seconds=200)}

    assert next_target(["vote", "block"], spent, 600) == "block"


def test_nobody_is_next_when_all_have_had_enough() -> None:
    assert next_target(["vote"], {"vote": Spent(processor_seconds=600)}, 600) is None


def test_each_target_has_turns_until_it_has_had_enough(turns: list[str], tmp_path: Path) -> None:
    list(fuzz_until(250, ["vote", "block"], 1, tmp_path / "spent.json"))

    assert sorted(turns) == ["block"] * 3 + ["vote"] * 3


def test_a_later_sitting_goes_on_after_the_turns_of_an_earlier_one(
    turns: list[str], tmp_path: Path
) -> None:
    earlier = fuzz_until(250, ["vote"], 1, tmp_path / "spent.json")
    next(earlier)
    earlier.close()
    turns.clear()

    list(fuzz_until(250, ["vote"], 1, tmp_path / "spent.json"))

    assert len(turns) == 2
    assert read_spent(tmp_path / "spent.json") == {"vote": Spent(processor_seconds=300, inputs=21)}


def test_who_breaks_a_promise_has_no_further_turn(turns: list[str], tmp_path: Path) -> None:
    list(fuzz_until(250, ["broken"], 1, tmp_path / "spent.json"))

    assert turns == ["broken"]
