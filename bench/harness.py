"""How every target is measured: two things in turn, several times, in one run; the ratio counts."""

import json
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAIRS_MIN: Final = 5
RESULTS: Final = Path(__file__).parent / "results.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One target's outcome: the median ratio over pairs, its spread, and both sides' medians."""

    name: str
    ratio: float
    low: float
    high: float
    ours: float
    yardstick: float
    unit: str
    target: float
    at_least: bool
    """Whether the ratio should reach the target (a rate) or stay under it (a time)."""

    @property
    def is_met(self) -> bool:
        """Whether the median ratio is on the right side of the target."""
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target

    def line(self) -> str:
        """Return the one line that is printed: name, ratio, target, verdict, and the figures."""
        sign = ">=" if self.at_least else "<="
        return (
            f"{self.name:<22} {self.ratio:8.3f}  {sign} {self.target:g}  "
            f"{'ok' if self.is_met else 'short':<5}  "
            f"[{self.low:.3f} .. {self.high:.3f}]  "
            f"{self.ours:.4g} against {self.yardstick:.4g} {self.unit}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a target asks for."""

    name: str
    unit: str
    limit: float
    at_least: bool


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
    for _ in range(max(PAIRS_MIN, pairs)):
        theirs_seen.append(yardstick())
        ours_seen.append(ours())
    return from_samples(target, ours_seen, theirs_seen)


def from_samples(target: Target, ours: Sequence[float], yardstick: Sequence[float]) -> Measured:
    """Return the outcome of samples taken in turn, pair by pair."""
    ratios = sorted(mine / theirs for mine, theirs in zip(ours, yardstick, strict=True))
    return Measured(
        name=target.name,
        ratio=statistics.median(ratios),
        low=ratios[0],
        high=ratios[-1],
        ours=statistics.median(ours),
        yardstick=statistics.median(yardstick),
        unit=target.unit,
        target=target.limit,
        at_least=target.at_least,
    )


def write_results(results: Sequence[Measured]) -> None:
    """Keep the figures, with the machine they were measured on."""
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    rows = [
        {name: getattr(result, name) for name in Measured.__dataclass_fields__}
        | {"is_met": result.is_met}
        for result in results
    ]
    RESULTS.write_text(json.dumps({"machine": machine, "results": rows}, indent=1) + "\n")
