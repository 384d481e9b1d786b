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


PLOTS: Final = (
    Plot(
        target="gossip.growth",
        file="gossip-growth.svg",
        x="nodes",
        y="frames a node sends a transaction",
        is_x_log=True,
    ),
)


def draw_all(results: Iterable[Measured], folder: Path = FOLDER) -> None:
    """Draw every plot of the table for which there are figures."""
    folder.mkdir(exist_ok=True)
    series = {result.target.name: result.series for result in results}
    for plot in PLOTS:
        if series.get(plot.target):
            draw(plot, series[plot.target], folder / plot.file)


def draw(plot: Plot, series: Sequence[Series], path: Path) -> None:
    """Draw one plot."""
    with mpl.rc_context(_STYLE):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        for one in series:
            axes.plot(one.x, one.y, marker="o", markersize=4, label=one.name)
        _label(axes, plot, series)
        figure.savefig(
            path, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )


def _label(axes: Axes, plot: Plot, series: Sequence[Series]) -> None:
    axes.set_xlabel(plot.x)
    axes.set_ylabel(plot.y)
    axes.set_ylim(bottom=0)
    axes.grid(visible=True)
    if plot.is_x_log:
        axes.set_xscale("log")
        ticks = sorted({x for one in series for x in one.x})
        axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
        axes.minorticks_off()
    axes.legend(frameon=False)
