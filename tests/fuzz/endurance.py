"""Fuzzing that takes longer than one sitting: who has had how much of a processor, and whose turn it is."""

import json
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.fuzz.campaign import CACHE, Report, fuzz_for

TURN_SECONDS: Final = 150
"""A turn that is cut off is lost, so that it is short; its start takes some seconds."""

FILE: Final = CACHE / "spent.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a target has had in all turns since its corpus was begun."""

    processor_seconds: int = 0
    inputs: int = 0

    def after(self, report: Report) -> "Spent":
        """Return what it has had with one turn more."""
        return Spent(
            processor_seconds=self.processor_seconds + report.processor_seconds,
            inputs=self.inputs + report.executions,
        )


def read_spent(path: Path = FILE) -> dict[str, Spent]:
    """Return what earlier sittings have written; nothing, if there was none."""
    if not path.exists():
        return {}
    return {name: Spent(**one) for name, one in json.loads(path.read_text()).items()}


def next_target(names: Sequence[str], spent: dict[str, Spent], total: int) -> str | None:
    """Return whose turn it is: who has had least, unless that is enough."""
    had = {name: spent.get(name, Spent()).processor_seconds for name in names}
    least = min(had, key=had.__getitem__, default=None)
    return least if least is not None and had[least] < total else None


def fuzz_until(
    total: int,
    names: Sequence[str],
    jobs: int,
    path: Path = FILE,
    turn: Callable[[int, str], Report] = fuzz_for,
) -> Generator[tuple[Report, Spent], None, None]:
    """Give each target turns until it has had so many seconds of a processor; a broken promise ends its turns.

    Each turn is written down when it is over, so that the next sitting goes on after it.
    """
    spent, open_names, running = read_spent(path), list(names), dict[Future[Report], str]()
    with ThreadPoolExecutor(jobs) as pool:
        while True:
            while len(running) < jobs:
                name = next_target(open_names, spent, total)
                if name is None:
                    break
                open_names.remove(name)
                running[pool.submit(turn, TURN_SECONDS, name)] = name
            if not running:
                return
            for ended in wait(running, return_when=FIRST_COMPLETED).done:
                name, report = running.pop(ended), ended.result()
                spent[name] = spent.get(name, Spent()).after(report)
                _write(spent, path)
                if not report.problem:
                    open_names.append(name)
                yield report, spent[name]


def _write(spent: dict[str, Spent], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(
        json.dumps({name: asdict(one) for name, one in sorted(spent.items())}, indent=1)
    )
    fresh.replace(path)
