"""How every target is measured: two things in turn, several times, in one run; the ratio counts."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

PAIRS_MIN: Final = 5


class NothingMeasured(Exception):
    """A target cannot be measured on this machine; the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a target asks for."""

    name: str
    unit: str
    limit: float
    at_least: bool
    """Whether the ratio should reach the limit (a rate) or stay under it (a time)."""

    @property
    def limit_text(self) -> str:
        """The target as people write it: ``>= 0.8``."""
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One target's outcome: the median ratio over pairs, its spread, and both sides' medians."""

    target: Target
    ratio: float
    low: float
    high: float
    ours: float
    yardstick: float
    pairs: int
    load: float = 0.0
    """Runnable processes before it was measured, averaged over a minute."""
    series: tuple[Series, ...] = ()
    """What ``bench.plots`` draws."""
    note: str = ""
    """What else was seen, in a few words."""

    @property
    def is_met(self) -> bool:
        """Whether the median ratio is on the right side of the target."""
        target = self.target
        return self.ratio >= target.limit if target.at_least else self.ratio <= target.limit

    @property
    def verdict(self) -> str:
        """``ok`` or ``short``."""
        return "ok" if self.is_met else "short"

    def line(self) -> str:
        """Return the one line that is printed: name, ratio, target, verdict, and the figures."""
        return (
            f"{self.target.name:<20} {self.ratio:8.3f}  {self.target.limit_text:<8} {self.verdict:<5}  "
            f"[{self.low:.3f} .. {self.high:.3f}]  "
            f"{self.ours:.4g} against {self.yardstick:.4g} {self.target.unit}"
            + (f" ({self.note})" if self.note else "")
        )


def measure_pairs(
    target: Target,
    ours: Callable[[], float],
    yardstick: Callable[[], float],
    *,
    pairs: int = PAIRS_MIN,
) -> Measured:
    """Measure both sides in turn ``pairs`` times and return the ratio ours / yardstick."""
    ours_seen: list[float] = []
    theirs_seen: list[float] = []
    for _ in range(pairs):
        theirs_seen.append(yardstick())
        ours_seen.append(ours())
    return from_samples(target, ours_seen, theirs_seen)


def from_samples(target: Target, ours: Sequence[float], yardstick: Sequence[float]) -> Measured:
    """Return the outcome of samples taken in turn, pair by pair; at least five pairs."""
    assert len(ours) >= PAIRS_MIN, "fewer pairs tell too little on a shared machine"
    ratios = sorted(mine / theirs for mine, theirs in zip(ours, yardstick, strict=True))
    return Measured(
        target=target,
        ratio=statistics.median(ratios),
        low=ratios[0],
        high=ratios[-1],
        ours=statistics.median(ours),
        yardstick=statistics.median(yardstick),
        pairs=len(ratios),
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that ``percent`` of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-percent * len(ordered) // 100)
    return ordered[max(0, rank - 1)]
