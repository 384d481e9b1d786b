"""Where figures go: bench/results.json, and the table in docs/PERFORMANCE.md."""

import importlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from bench.harness import Measured, Series, Target
from bench.plots import draw_all

RESULTS: Final = Path(__file__).parent / "results.json"
PAGE: Final = Path(__file__).parents[1] / "docs" / "PERFORMANCE.md"
BEGIN: Final = "<!-- figures: written by `make bench` -->"
END: Final = "<!-- end of figures -->"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the figures were measured on."""

    cores: int
    processor: str
    system: str
    python: str

    @classmethod
    def current(cls) -> Self:
        """Describe this machine as it is now."""
        return cls(
            cores=len(os.sched_getaffinity(0)),
            processor=_processor(),
            system=f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
            python=platform.python_version(),
        )

    def sentence(self) -> str:
        """Return the line that stands above the table."""
        return f"{self.cores} cores ({self.processor}), {self.system}, Python {self.python}."


def read_report() -> tuple[Machine, list[Measured]]:
    """Return the figures that were kept last."""
    kept = json.loads(RESULTS.read_text())
    return Machine(**kept["machine"]), [_measured(row) for row in kept["results"]]


def keep(machine: Machine, results: Sequence[Measured]) -> None:
    """Put figures in the place of those that were kept of the same targets."""
    new = {result.target.name: result for result in results}
    old = {result.target.name: result for result in read_report()[1]}
    write_report(machine, [result for _, result in sorted((old | new).items())])


def write_report(machine: Machine, results: Sequence[Measured]) -> None:
    """Keep the figures for programs, and redraw the table and the plots for people."""
    rows = [asdict(result) | {"is_met": result.is_met} for result in results]
    RESULTS.write_text(json.dumps({"machine": asdict(machine), "results": rows}, indent=1) + "\n")
    draw_all(results)
    shown = table(results, known_targets())
    PAGE.write_text(redrawn(PAGE.read_text(), f"{machine.sentence()}\n\n{shown}"))


def redraw() -> None:
    """Redraw the table and the plots from the figures that are kept."""
    write_report(*read_report())


def known_targets() -> tuple[Target, ...]:
    """Return every target for which there is a benchmark."""
    modules = (
        importlib.import_module(f"bench.{path.stem}")
        for path in sorted(RESULTS.parent.glob("bench_*.py"))
    )
    return tuple(
        value for one in modules for value in vars(one).values() if isinstance(value, Target)
    )


def _measured(row: dict[str, Any]) -> Measured:
    series = tuple(Series(**one) for one in row.get("series", ()))
    rest = {k: v for k, v in row.items() if k not in {"is_met", "series", "target"}}
    return Measured(target=Target(**row["target"]), series=series, **rest)


def redrawn(page: str, figures: str) -> str:
    """Return a page with what stands between its two marks replaced."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{figures}\n\n{END}{tail}"


def table(results: Sequence[Measured], targets: Sequence[Target] = ()) -> str:
    """Return results as a table in Markdown, with a row for each of ``targets`` that has none yet."""
    head = "| target | ratio | asked | | lowest .. highest of pairs | ours | yardstick | | load |"
    rows = {
        target.name: f"| {target.name} | | {target.limit_text} | no figure yet | | | | {target.unit} | |"
        for target in targets
    }
    rows |= {result.target.name: _row(result) for result in results}
    ordered = [row for _, row in sorted(rows.items())]
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *ordered])


def _row(r: Measured) -> str:
    unit = f"{r.target.unit}, {r.note}" if r.note else r.target.unit
    return (
        f"| {r.target.name} | **{r.ratio:.3g}** | {r.target.limit_text} | {r.verdict} "
        f"| {r.low:.3g} .. {r.high:.3g} of {r.pairs} "
        f"| {r.ours:.4g} | {r.yardstick:.4g} | {unit} | {r.load:g} |"
    )


def _processor() -> str:
    """Return the processor's name, as Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown processor"
