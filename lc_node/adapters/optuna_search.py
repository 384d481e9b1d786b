"""Hyper-parameter search by Optuna: one study in memory, asked and told, never trusted to jobs."""

import logging
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import optuna
from optuna.trial import TrialState as OptunaState

from lc_node.ports.search import (
    BadQuestion,
    Choices,
    FloatRange,
    IntRange,
    Search,
    Space,
    TrialState,
    Value,
)

TRIALS_MAX: Final = 10_000
PARAMETERS_MAX: Final = 256
"""Of one trial."""
NAMES_MAX: Final = 1_024
"""Of one study."""
CHOICES_MAX: Final = 64
STEPS_MAX: Final = 10_000
"""Reports of one trial that the pruner hears of."""

_INTEGER_MAX: Final = 2**53  # Optuna reckons with doubles
_ONE_STEP_MAX: Final = 1e15


@dataclass(slots=True, kw_only=True)
class _Open:
    """A trial that is being run."""

    trial: optuna.Trial
    asked: dict[str, tuple[Space, Value]] = field(default_factory=dict)
    steps: set[int] = field(default_factory=set)


class OptunaSearch(Search):
    """One study of one job: TPE (Bergstra et al. 2011) with the median pruner.

    What a job can provoke is checked before Optuna hears of it; what Optuna raises all the same is
    the job's BadQuestion, never the node's end.
    """

    def __init__(self, *, seed: int) -> None:
        """Start an empty study whose draws follow from ``seed``."""
        logging.getLogger("optuna").setLevel(logging.WARNING)
        self._study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=seed),
            pruner=optuna.pruners.MedianPruner(),
            direction="minimize",
        )
        self._open: dict[int, _Open] = {}
        self._kinds: dict[str, object] = {}
        self._begun = 0

    def begin(self, trial: int) -> None:
        """Open a trial; beyond TRIALS_MAX it is unknown to every later question."""
        if trial not in self._open and self._begun < TRIALS_MAX:
            self._begun += 1
            self._open[trial] = _Open(trial=self._study.ask())

    def ask(self, trial: int, name: str, space: Space) -> Value:
        """Draw a value, or return the one that was drawn under this name in this trial."""
        opened = self._open.get(trial)
        if opened is None:
            raise BadQuestion(f"trial {trial} is not open")
        if name in opened.asked:
            return _again(name, space, opened.asked[name])
        _check(space)
        self._check_kind(name, space)
        if len(opened.asked) >= PARAMETERS_MAX:
            raise BadQuestion(f"a trial asks for at most {PARAMETERS_MAX} parameters")
        value = _draw(opened.trial, name, space)
        opened.asked[name] = (space, value)
        return value

    def report(self, trial: int, step: int, loss: float) -> bool:
        """Note an intermediate loss and return whether the median of earlier trials was better."""
        opened = self._open.get(trial)
        if opened is None or step in opened.steps or len(opened.steps) >= STEPS_MAX:
            return False
        opened.steps.add(step)
        opened.trial.report(loss, step)
        return bool(opened.trial.should_prune())

    def end(self, trial: int, state: TrialState, loss: float | None) -> None:
        """Close a trial; a complete one without a loss teaches nothing and counts as failed."""
        opened = self._open.pop(trial, None)
        if opened is None:
            return
        if loss is None or state is TrialState.FAILED:
            self._study.tell(opened.trial, state=OptunaState.FAIL)
        elif state is TrialState.PRUNED:
            self._study.tell(opened.trial, state=OptunaState.PRUNED)
        else:
            self._study.tell(opened.trial, loss)

    def _check_kind(self, name: str, space: Space) -> None:
        kind = _kind(space)
        if name not in self._kinds and len(self._kinds) >= NAMES_MAX:
            raise BadQuestion(f"a job asks for at most {NAMES_MAX} different parameters")
        if self._kinds.setdefault(name, kind) != kind:
            raise BadQuestion(f"{name!r} was another kind of parameter in an earlier trial")


def _again(name: str, space: Space, earlier: tuple[Space, Value]) -> Value:
    if earlier[0] != space:
        raise BadQuestion(f"{name!r} was asked with other bounds in this trial")
    return earlier[1]


def _kind(space: Space) -> object:
    """Return what may not change between trials."""
    if isinstance(space, Choices):
        return tuple((type(value), value) for value in space.values)
    return type(space)


def _check(space: Space) -> None:
    match space:
        case FloatRange():
            _check_float(space)
        case IntRange():
            _check_int(space)
        case Choices():
            _check_choices(space)


def _check_float(space: FloatRange) -> None:
    _check_bounds(space.low, space.high, log=space.log)
    if not math.isfinite(space.high - space.low):
        raise BadQuestion("'low' and 'high' are too far apart")
    if space.step is None:
        return
    if space.log:
        raise BadQuestion("'log' and 'step' do not go together")
    if not space.step > 0 or (space.high - space.low) / space.step > _ONE_STEP_MAX:
        raise BadQuestion("'step' must be positive, and not too small for its range")


def _check_int(space: IntRange) -> None:
    _check_bounds(space.low, space.high, log=space.log)
    if max(abs(space.low), abs(space.high), space.step) > _INTEGER_MAX:
        raise BadQuestion("an integer parameter stays within 2**53")
    if space.step < 1 or (space.log and space.step != 1):
        raise BadQuestion("'step' must be at least 1, and 1 with 'log'")


def _check_bounds(low: float, high: float, *, log: bool) -> None:
    if not low <= high:
        raise BadQuestion("'low' must not exceed 'high'")
    if log and not low > 0:
        raise BadQuestion("'log' needs 'low' above 0")


def _check_choices(space: Choices) -> None:
    kinds = {(type(value), value) for value in space.values}
    if not 1 <= len(space.values) <= CHOICES_MAX or len(kinds) != len(space.values):
        raise BadQuestion(f"'choices' must be 1 to {CHOICES_MAX} different values")


def _draw(trial: optuna.Trial, name: str, space: Space) -> Value:
    try:
        return _suggest(trial, name, space)
    except Exception as error:
        raise BadQuestion(f"{name!r} cannot be drawn: {type(error).__name__}") from error


def _suggest(trial: optuna.Trial, name: str, space: Space) -> Value:
    match space:
        case FloatRange(low=low, high=high, log=log, step=step):
            top = high if step is None else _last_step(low, high, step)
            return float(trial.suggest_float(name, low, top, log=log, step=step))
        case IntRange(low=start, high=end, log=log, step=stride):
            last = start + (end - start) // stride * stride
            return int(trial.suggest_int(name, start, last, log=log, step=stride))
        case Choices(values=values):
            # By index, so that 1, 1.0 and True stay different choices.
            index = trial.suggest_categorical(name, list(range(len(values))))
            return values[index]


def _last_step(low: float, high: float, step: float) -> float:
    """Return the last value on the grid; Optuna would reckon the same, with a warning."""
    start, end, stride = (Decimal(str(number)) for number in (low, high, step))
    return float(start + (end - start) // stride * stride)
