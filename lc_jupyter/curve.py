"""A loss or a balance over time, as a small picture that needs no script and follows the theme."""

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from lc_jupyter.display import Shown
from lc_jupyter.units import show_loss
from lc_jupyter.wording import show_clock, show_moment

_WIDTH: Final = 1000
_HEIGHT: Final = 100
"""The picture's own units: it is stretched to the output's width, its strokes are not."""

_INSET: Final = 8
"""Kept free above and below, so that no stroke touches the frame."""

_LOG_FROM: Final = 20
"""A logarithmic scale is used where the largest loss is this many times the smallest."""

_NEVER_LOGARITHMIC: Final = math.inf

_LINE: Final = 'fill="none" stroke="currentColor" vector-effect="non-scaling-stroke"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A loss that somebody announced at a moment, in milliseconds."""

    bidder: str
    loss: int
    time: int


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a moment and a loss lie in the picture."""

    x: Callable[[int], float]
    y: Callable[[int], float]
    is_logarithmic: bool


def show_curve(
    bids: Sequence[Announced], refuted: Container[str], start: int, end: int, now: int
) -> Shown:
    """Return the best honest loss as a step line from ``start`` to ``end``, refuted bids as crosses."""
    ordered = sorted(bids, key=lambda bid: (bid.time, bid.loss))
    honest = [bid for bid in ordered if bid.bidder not in refuted]
    lies = [bid for bid in ordered if bid.bidder in refuted]
    best = _improvements(honest)
    if not best:
        return Shown("", "")
    scale = _scale([bid.loss for bid in (*best, *lies)], start, max(end, ordered[-1].time))
    until = min(max(now, best[-1].time), max(end, ordered[-1].time))
    marks = _steps([(scale.x(bid.time), scale.y(bid.loss)) for bid in best], scale.x(until))
    marks += "".join(_cross(scale.x(bid.time), scale.y(bid.loss)) for bid in lies)
    title = f"Best loss, from {show_loss(best[0].loss)} to {show_loss(best[-1].loss)}"
    title += ", logarithmic" if scale.is_logarithmic else ""
    ends = (f"posted {show_clock(start)}", f"expires {show_clock(end)}")
    crosses = '; <span class="bad">×</span> refuted' if lies else ""
    return Shown(_figure(title, marks, ends, crosses), "")


def show_steps(points: Sequence[tuple[int, int]], now: int, title: str) -> Shown:
    """Return amounts, each from its moment to the next one's, up to ``now``, under a title that says the least and the most."""
    begin = points[0][0]
    end = max(now, points[-1][0])
    scale = _scale([amount for _, amount in points], begin, end, _NEVER_LOGARITHMIC)
    steps = [(scale.x(time), scale.y(amount)) for time, amount in points]
    marks = _steps(steps, scale.x(end))
    return Shown(_figure(title, marks, (show_moment(begin), "now")), "")


def _improvements(bids: Sequence[Announced]) -> list[Announced]:
    """Return the bids that were the best when they came."""
    best: list[Announced] = []
    for bid in bids:
        if not best or bid.loss < best[-1].loss:
            best.append(bid)
    return best


def _scale(amounts: Sequence[int], start: int, end: int, log_from: float = _LOG_FROM) -> _Scale:
    low, high = min(amounts), max(amounts)
    is_logarithmic = low > 0 and high >= log_from * low
    height: Callable[[int], float] = math.log if is_logarithmic else float
    bottom, span = height(low), (height(high) - height(low)) or 1.0

    def x(time: int) -> float:
        return _WIDTH * (time - start) / max(1, end - start)

    def y(amount: int) -> float:
        return _HEIGHT - _INSET - (_HEIGHT - 2 * _INSET) * (height(amount) - bottom) / span

    return _Scale(x, y, is_logarithmic)


def _steps(points: Sequence[tuple[float, float]], until: float) -> str:
    """Return a step line: level until the next point."""
    (x, y), *_ = points
    steps = [f"M{x:.1f} {y:.1f}", *(f"H{x:.1f}V{y:.1f}" for x, y in points[1:]), f"H{until:.1f}"]
    return f'<path d="{"".join(steps)}" {_LINE} stroke-width="2"/>'


def _cross(x: float, y: float) -> str:
    arms = f"M{x - 6:.1f} {y - 4:.1f}l12 8m0 -8l-12 8"
    return f'<path class="bad" d="{arms}" {_LINE} stroke-width="2"/>'


def _figure(title: str, marks: str, ends: tuple[str, str], legend: str = "") -> str:
    """Return a picture; ``legend`` is markup."""
    ground = f'<path d="M0 {_HEIGHT}H{_WIDTH}M0 0V{_HEIGHT}" {_LINE} opacity=".35"/>'
    return (
        f"<figure><figcaption>{escape(title)}{legend}</figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">{ground}{marks}</svg>'
        f'<div class="lc-ends"><span>{escape(ends[0])}</span>'
        f"<span>{escape(ends[1])}</span></div></figure>"
    )
