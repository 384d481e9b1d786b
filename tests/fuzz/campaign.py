"""Runs fuzz targets in processes of their own, and says what came of each."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CACHE: Final = ROOT / ".cache" / "fuzz"
GRACE_SECONDS: Final = 600
"""For the start, on a machine that others keep busy; an input that hangs is ended by libFuzzer itself."""

_STAT: Final = re.compile(r"stat::(\w+):\s+(\d+)")
_FOUND: Final = re.compile(r"Test unit written to (\S+)")
_SHOWN: Final = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of one target."""

    name: str
    executions: int
    per_second: int
    memory_mib: int
    problem: str
    """Empty: no promise was broken."""

    def __str__(self) -> str:
        verdict = self.problem or "ok"
        return (
            f"{self.name:<20}{self.executions:>12,} inputs {self.per_second:>8,}/s "
            f"{self.memory_mib:>5} MiB  {verdict}"
        )


def fuzz_for(seconds: int, name: str) -> Report:
    """Run one target for so many seconds."""
    try:
        code, said = _run(f"-max_total_time={seconds}", (name,), seconds + GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        return _report(name, f"HANGS: not over {GRACE_SECONDS} s after its time", 1)
    return _report(name, said, code)


def fuzz_inputs(count: int, names: Sequence[str]) -> list[Report]:
    """Run several targets on so many inputs each, one after the other."""
    _, said = _run(f"-runs={count}", names, GRACE_SECONDS + len(names) * GRACE_SECONDS)
    parts = said.split("== ended with ")
    codes = [int(part.split()[0]) for part in parts[1:]]
    return [
        _report(name, text, code) for name, text, code in zip(names, parts, codes, strict=False)
    ]


def _run(limit: str, names: Sequence[str], seconds: int) -> tuple[int, str]:
    CACHE.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        (sys.executable, "-m", "tests.fuzz.coverage_guided", limit, str(CACHE), *names),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace")


def _report(name: str, said: str, code: int) -> Report:
    stats = {key: int(value) for key, value in _STAT.findall(said)}
    found = _FOUND.findall(said)
    problem = ""
    if found:
        problem = f"BROKEN: python -m tests.fuzz --replay {found[-1]} {name}"
    elif code:
        problem = f"ENDED with {code}:\n{said[-_SHOWN:]}"
    return Report(
        name=name,
        executions=stats.get("number_of_executed_units", 0),
        per_second=stats.get("average_exec_per_sec", 0),
        memory_mib=stats.get("peak_rss_mb", 0),
        problem=problem,
    )
