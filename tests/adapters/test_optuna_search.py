"""Optuna searches for a job, and no question of a job reaches it unchecked."""

import pytest

from lc_node.adapters import optuna_search
from lc_node.adapters.optuna_search import OptunaSearch
from lc_node.ports.search import BadQuestion, Choices, FloatRange, IntRange, Space, TrialState


def real(low: float, high: float, *, log: bool = False, step: float | None = None) -> FloatRange:
    return FloatRange(low=low, high=high, log=log, step=step)


def whole(low: int, high: int, *, log: bool = False, step: int = 1) -> IntRange:
    return IntRange(low=low, high=high, log=log, step=step)


@pytest.fixture
def search() -> OptunaSearch:
    search = OptunaSearch(seed=1)
    search.begin(0)
    return search


@pytest.mark.parametrize(
    ("space", "allowed"),
    [
        (whole(3, 3), {3}),
        (whole(1, 8, step=3), {1, 4, 7}),
        (real(0.0, 0.35, step=0.1), {0.0, 0.1, 0.2, 0.3}),
        (Choices(values=("a", 1, True)), {"a", 1}),
    ],
)
def test_a_value_is_one_of_those_allowed(space: Space, allowed: set[object]) -> None:
    search = OptunaSearch(seed=1)
    for trial in range(8):
        search.begin(trial)
        assert search.ask(trial, "x", space) in allowed


def test_one_and_true_and_one_point_zero_stay_different_choices(search: OptunaSearch) -> None:
    values = set()
    for trial in range(1, 30):
        search.begin(trial)
        value = search.ask(trial, "x", Choices(values=(1, True, 1.0)))
        values.add((type(value), value))

    assert values == {(int, 1), (bool, True), (float, 1.0)}


def test_the_same_question_in_a_trial_has_the_same_answer(search: OptunaSearch) -> None:
    assert search.ask(0, "x", real(0, 1)) == search.ask(0, "x", real(0, 1))


def test_the_same_seed_draws_the_same() -> None:
    drawn = []
    for _ in range(2):
        search = OptunaSearch(seed=7)
        search.begin(0)
        drawn.append(search.ask(0, "x", real(0, 1)))

    assert drawn[0] == drawn[1]


def test_bounds_may_move_between_trials(search: OptunaSearch) -> None:
    search.ask(0, "x", whole(1, 5))
    search.begin(1)

    assert search.ask(1, "x", whole(7, 7)) == 7


@pytest.mark.parametrize(
    "space",
    [
        real(1, 0),
        real(0, 1, log=True),
        real(-1e308, 1.7e308),
        real(1, 2, log=True, step=0.1),
        real(0, 1, step=0),
        real(0, 1, step=-0.1),
        real(0, 1, step=1e-300),
        whole(2, 1),
        whole(0, 5, log=True),
        whole(1, 5, step=0),
        whole(1, 5, log=True, step=2),
        whole(0, 2**60),
        Choices(values=()),
        Choices(values=("a", "a")),
        Choices(values=tuple(range(65))),
    ],
)
def test_an_absurd_question_is_the_job_s_fault(search: OptunaSearch, space: Space) -> None:
    with pytest.raises(BadQuestion):
        search.ask(0, "x", space)


@pytest.mark.parametrize("space", [real(0, 2), whole(0, 1), Choices(values=(0, 1))])
def test_a_contradiction_within_a_trial_is_the_job_s_fault(
    search: OptunaSearch, space: Space
) -> None:
    search.ask(0, "x", real(0, 1))

    with pytest.raises(BadQuestion):
        search.ask(0, "x", space)


def test_another_kind_between_trials_is_the_job_s_fault(search: OptunaSearch) -> None:
    search.ask(0, "x", Choices(values=("a", "b")))
    search.begin(1)

    with pytest.raises(BadQuestion):
        search.ask(1, "x", Choices(values=("a", "c")))


@pytest.mark.parametrize("trial", [1, -1, 2**63])
def test_a_trial_that_is_not_open_has_no_parameters(search: OptunaSearch, trial: int) -> None:
    with pytest.raises(BadQuestion):
        search.ask(trial, "x", real(0, 1))


def test_a_trial_has_a_bounded_number_of_parameters(search: OptunaSearch) -> None:
    for number in range(optuna_search.PARAMETERS_MAX):
        search.ask(0, f"x{number}", whole(1, 1))

    with pytest.raises(BadQuestion, match="at most"):
        search.ask(0, "one more", whole(1, 1))


def test_a_trial_worse_than_the_median_is_hopeless() -> None:
    search = OptunaSearch(seed=1)
    for trial in range(6):
        search.begin(trial)
        search.report(trial, 1, 0.1)
        search.end(trial, TrialState.COMPLETE, 0.1)
    search.begin(6)

    assert search.report(6, 1, 5.0) is True


def test_a_step_counts_once(search: OptunaSearch) -> None:
    search.report(0, 1, 0.1)

    assert search.report(0, 1, 0.2) is False


@pytest.mark.parametrize("state", list(TrialState))
@pytest.mark.parametrize("loss", [None, 0.5])
def test_a_trial_may_end_in_any_state_and_is_closed_then(
    search: OptunaSearch, state: TrialState, loss: float | None
) -> None:
    search.ask(0, "x", real(0, 1))

    search.end(0, state, loss)

    with pytest.raises(BadQuestion):
        search.ask(0, "y", real(0, 1))


def test_the_search_closes_in_on_the_minimum() -> None:
    search = OptunaSearch(seed=3)
    values = []
    for trial in range(40):
        search.begin(trial)
        x = search.ask(trial, "x", real(-10, 10))
        assert isinstance(x, float)
        values.append(x)
        search.end(trial, TrialState.COMPLETE, (x - 2) ** 2)

    assert sum(abs(x - 2) for x in values[20:]) < sum(abs(x - 2) for x in values[:20]) / 2
