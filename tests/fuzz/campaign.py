"""Runs fuzz targets in processes of their own, and says what came of each."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "fuzz"
GRACE_SECONDS: Final = 600
"""For the start, on a machine that others keep busy; an input that hangs is ended by libFuzzer itself."""

_STAT: Final = re.compile(r"stat::(\w+):\s+(\d+)")
_FOUND: Final = re.compile(r"Test unit written to (\S+)")
_ENDED: Final = re.compile(r"== ended with (-?\d+) after (\d+) s\n")
_SHOWN: Final = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one target."""

    name: str
    executions: int
    processor_seconds: int
    """On a busy machine less than the time that has passed."""
    memory_mib: int
    problem: str
    """Empty: no promise was broken."""

    def __str__(self) -> str:
        verdict = self.problem or "ok"
        return (
            f"{self.name:<20}{self.executions:>12,} inputs {self.processor_seconds:>6,} s of a processor "
            f"{self.memory_mib:>5} MiB  {verdict}"
        )


def fuzz_for(seconds: int, name: str) -> Report:
    """Run one target for so many seconds."""
    try:
        said = _run(f"-max_total_time={seconds}", (name,), seconds + GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return _report(name, f"HANGS: not over {GRACE_SECONDS} s after its time")
    return _report(name, said)


def fuzz_inputs(count: int, names: Sequence[str]) -> list[Report]:
    """Run several targets on so many inputs each, one after the other."""
    said = _run(f"-runs={count}", names, GRACE_SECONDS + len(names) * GRACE_SECONDS)
    ends = [0, *(end.end() for end in _ENDED.finditer(said))]
    texts = [said[first:last] for first, last in pairwise(ends)]
    return [_report(name, text) for name, text in zip(names, texts, strict=False)]


def _run(limit: str, names: Sequence[str], seconds: int) -> str:
    """Return what the targets' processes said; those that do not end are ended, with all their children."""
    CACHE.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.fuzz.coverage_guided", limit, str(CACHE), *names),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    return said.decode(errors="replace")


def _report(name: str, said: str) -> Report:
    stats = {key: int(value) for key, value in _STAT.findall(said)}
    found, ended = _FOUND.findall(said), _ENDED.search(said)
    problem = ""
    if found:
        problem = f"BROKEN: python -m tests.fuzz --replay {found[-1]} {name}"
    elif ended is None or ended[1] != "0":
        problem = f"DIED:\n{said[-_SHOWN:]}"
    return Report(
        name=name,
        executions=stats.get("number_of_executed_units", 0),
        processor_seconds=0 if ended is None else int(ended[2]),
        memory_mib=stats.get("peak_rss_mb", 0),
        problem=problem,
    )
