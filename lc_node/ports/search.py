"""Which hyper-parameters to try next."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeAlias

from lc_node.chain.errors import LearningChainError

Value: TypeAlias = int | float | str | bool


class BadQuestion(LearningChainError):
    """A job asked for a parameter in an invalid or contradictory way: the job's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatRange:
    """A real parameter between two bounds."""

    low: float
    high: float
    log: bool
    step: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntRange:
    """A whole parameter between two bounds, both included."""

    low: int
    high: int
    log: bool
    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """One of some values."""

    values: Sequence[Value]


Space: TypeAlias = FloatRange | IntRange | Choices


class TrialState(StrEnum):
    """How a trial ended."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"


class Search(Protocol):
    """One study of one job: ask and tell, never more."""

    def begin(self, trial: int) -> None:
        """Open a trial under the job's own number for it."""
        ...

    def ask(self, trial: int, name: str, space: Space) -> Value:
        """Return a value to try.

        Raises:
            BadQuestion: unknown trial, invalid bounds, or a space that contradicts an earlier one of the
                same name: within a trial it must be equal; between trials only bounds may move.
        """
        ...

    def report(self, trial: int, step: int, loss: float) -> bool:
        """Note an intermediate loss; True means that the trial is not worth continuing.

        A step that was reported before is not noted again.
        """
        ...

    def end(self, trial: int, state: TrialState, loss: float | None) -> None:
        """Close a trial with the best loss it reached."""
        ...
