"""Measured values on their way to whoever watches the node."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias


class Kind(Enum):
    """What a value means (prometheus.io/docs/concepts/metric_types)."""

    GAUGE = auto()
    """It may rise and fall."""
    COUNTER = auto()
    """It only rises, from 0 at the node's start."""
    HISTOGRAM = auto()
    """How often something took how long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A histogram at a moment."""

    buckets: Sequence[tuple[float, int]]
    """How many observations were at most so large, for rising bounds; the last one is infinite."""
    total: float
    """The sum of all observations."""


Value: TypeAlias = float | Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """All values of one name, told apart by labels."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...]
    samples: Sequence[tuple[tuple[str, ...], Value]]
    """The labels' values, in their order, and what was measured."""
