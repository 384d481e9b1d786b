"""Draws docs/plots/: one SVG for each row of a table, the same bytes for the same figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.harness import Measured, Series

FOLDER: Final = Path(__file__).parents[1] / "docs" / "plots"

INK: Final = "#7d8590"
"""Text and axes: readable on white and on black, for the page shows through."""
COLOURS: Final = ("#2f81f7", "#db6d28", "#3fb950", "#a371f7")
_TIMES: Final = (0.25, 0.5, 1, 2, 5, 10, 50)
_STYLE: Final[dict[Any, Any]] = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.figsize": (6.4, 3.2),
    "font.family": "sans-serif",
    "font.size": 10,
    "grid.alpha": 0.25,
    "grid.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "learningchain",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """How the series of one target are drawn, and into which file."""

    target: str
    file: str
    x: str
    y: str
    is_x_log: bool = False
    are_all_ticks_named: bool = True
    """Whether every figure has a tick of its own."""


OVERVIEW: Final = "targets.svg"
"""Every target, by how far its figures are past what was asked."""

PLOTS: Final = (
    Plot(
        target="gossip.growth",
        file="gossip-growth.svg",
        x="nodes",
        y="frames a node sends a transaction",
        is_x_log=True,
    ),
    Plot(
        target="chain.finality.p50",
        file="chain-finality.svg",
        x="percentile of transfers",
        y="ms until final",
        are_all_ticks_named=False,
    ),
)


def draw_all(results: Iterable[Measured], folder: Path = FOLDER) -> None:
    """Draw every plot of the table for which there are figures."""
    folder.mkdir(exist_ok=True)
    kept = list(results)
    series = {result.target.name: result.series for result in kept}
    draw_overview(kept, folder / OVERVIEW)
    for plot in PLOTS:
        if series.get(plot.target):
            draw(plot, series[plot.target], folder / plot.file)


def draw_overview(results: Sequence[Measured], path: Path) -> None:
    """Draw how far each target's ratio, and the spread of its pairs, is past what was asked."""
    rows = sorted(results, key=lambda result: result.target.name, reverse=True)
    with mpl.rc_context(_STYLE):
        figure = Figure(layout="constrained", figsize=(6.4, 0.8 + 0.24 * len(rows)))
        axes = figure.subplots()
        for place, one in enumerate(rows):
            low, middle, high = sorted(_past(one, r) for r in (one.low, one.ratio, one.high))
            colour = COLOURS[2] if one.is_met else COLOURS[1]
            axes.plot([low, high], [place, place], color=colour, linewidth=2, alpha=0.6)
            axes.plot([middle], [place], color=colour, marker="o", markersize=5)
        axes.axvline(1, color=INK, linewidth=1)
        axes.set_xscale("log")
        axes.set_xticks(_TIMES, [f"{times:g}" for times in _TIMES])
        axes.minorticks_off()
        axes.set_yticks(range(len(rows)), [one.target.name for one in rows])
        axes.set_xlabel("times better than asked (1: just met)")
        axes.grid(visible=True, axis="x")
        _save(figure, path)


def draw(plot: Plot, series: Sequence[Series], path: Path) -> None:
    """Draw one plot."""
    with mpl.rc_context(_STYLE):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        for one in series:
            marker = "o" if plot.are_all_ticks_named else ""
            axes.plot(one.x, one.y, marker=marker, markersize=4, label=one.name)
        _label(axes, plot, series)
        _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})


def _past(one: Measured, ratio: float) -> float:
    """Return how many times better a ratio is than what was asked."""
    return ratio / one.target.limit if one.target.at_least else one.target.limit / ratio


def _label(axes: Axes, plot: Plot, series: Sequence[Series]) -> None:
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True)
    if plot.is_x_log:
        axes.set_xscale("log")
    if plot.are_all_ticks_named:
        ticks = sorted({x for one in series for x in one.x})
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.minorticks_off()
    axes.legend(frameon=False)
