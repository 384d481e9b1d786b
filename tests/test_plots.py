"""Plots: drawn from figures alone, the same bytes each time, readable on white and on black."""

from pathlib import Path
from xml.etree import ElementTree as ET

from bench.harness import PAIRS_MIN, Series, Target, from_samples
from bench.plots import INK, OVERVIEW, PLOTS, draw, draw_all, draw_overview
from bench.report import PAGE, read_report

GROWTH = next(plot for plot in PLOTS if plot.target == "gossip.growth")
LINES = (
    Series(name="mesh", x=(10, 100, 1_000), y=(6.0, 9.0, 9.0)),
    Series(name="flooding", x=(10, 100, 1_000), y=(8.0, 15.0, 15.0)),
)
CONTRAST_MIN = 3.0
"""What WCAG 2.1 asks of graphics and of large text."""


def drawn(folder: Path, name: str = "a.svg") -> str:
    draw(GROWTH, LINES, folder / name)
    return (folder / name).read_text(encoding="utf-8")


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.1)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_same_figures_give_the_same_bytes(tmp_path: Path) -> None:
    assert drawn(tmp_path) == drawn(tmp_path, "b.svg")


def test_a_plot_bears_no_date(tmp_path: Path) -> None:
    assert "<dc:date>" not in drawn(tmp_path)


def test_a_plot_names_its_axes_and_its_lines(tmp_path: Path) -> None:
    words = {text for one in ET.fromstring(drawn(tmp_path)).itertext() if (text := one.strip())}  # noqa: S314 - we have drawn it ourselves

    assert {"mesh", "flooding", GROWTH.x, GROWTH.y, "1,000"} <= words


def test_the_page_shows_through_a_plot(tmp_path: Path) -> None:
    assert "#ffffff" not in drawn(tmp_path)


def test_words_are_readable_on_white_and_on_black() -> None:
    ink = luminance(INK)

    assert 1.05 / (ink + 0.05) >= CONTRAST_MIN
    assert (ink + 0.05) / 0.05 >= CONTRAST_MIN


def test_only_what_has_figures_is_drawn(tmp_path: Path) -> None:
    target = Target(name="gossip.growth", unit="x", limit=1, at_least=False)
    draw_all([from_samples(target, [1.0] * PAIRS_MIN, [1.0] * PAIRS_MIN)], tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [OVERVIEW]


def test_the_overview_names_every_target(tmp_path: Path) -> None:
    names = ["chain.apply", "job.start"]
    targets = [Target(name=name, unit="x", limit=2, at_least=True) for name in names]
    draw_overview([from_samples(one, [1.0] * 5, [1.0] * 5) for one in targets], tmp_path / "o.svg")

    words = (tmp_path / "o.svg").read_text(encoding="utf-8")
    assert all(name in words for name in names)


def test_every_plot_is_drawn_from_the_figures_that_are_kept(tmp_path: Path) -> None:
    draw_all(read_report()[1], tmp_path)

    page = PAGE.read_text(encoding="utf-8")
    for file in (OVERVIEW, *(plot.file for plot in PLOTS)):
        kept = PAGE.parent / "plots" / file
        assert (tmp_path / file).read_bytes() == kept.read_bytes()
        assert f"(plots/{file})" in page
