"""chain.idle: processor time and memory of a node of four that have nothing to do."""

import os
import re
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from lc_node.runtime.devnet import Role, running

WINDOW_SECONDS: Final = 20.0
"""Each holds two heartbeats, in which an idle graph makes an empty block."""

CPU: Final = Target(name="chain.idle.cpu", unit="% of a core", limit=1, at_least=False)
MEMORY: Final = Target(name="chain.idle.memory", unit="MB", limit=1, at_least=False)
_CPU_PERCENT_MAX: Final = 2.0
_MEMORY_MB_MAX: Final = 150.0

_ROLES: Final = tuple(Role(name=f"validator-{n}", bonded=100, votes=True) for n in range(4))
_RESIDENT: Final = re.compile(r"^VmRSS:\s+(\d+) kB$", re.MULTILINE)
_TIMES: Final = slice(11, 13)
"""``utime`` and ``stime`` among what follows the name in /proc/PID/stat: proc(5)."""


def run() -> list[Measured]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "net", _ROLES) as devnet:
        processes = [devnet.process(role.name) for role in _ROLES]
        time.sleep(WINDOW_SECONDS)  # what a start leaves to do is done by then
        shares: list[float] = []
        sizes: list[float] = []
        for _ in range(PAIRS_MIN):
            shares.append(_percent(processes))
            sizes.append(max(map(resident_mb, processes)))
    return [
        from_samples(CPU, shares, [_CPU_PERCENT_MAX] * PAIRS_MIN),
        from_samples(MEMORY, sizes, [_MEMORY_MB_MAX] * PAIRS_MIN),
    ]


def _percent(processes: list[int]) -> float:
    """Return how much of a core a node uses during a window, the mean of all."""
    began, before = time.monotonic(), sum(map(_cpu_seconds, processes))
    time.sleep(WINDOW_SECONDS)
    spent = sum(map(_cpu_seconds, processes)) - before
    return 100 * spent / (time.monotonic() - began) / len(processes)


def _cpu_seconds(process: int) -> float:
    text = Path(f"/proc/{process}/stat").read_text()
    ticks = sum(map(int, text.rpartition(")")[2].split()[_TIMES]))
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mb(process: int) -> float:
    """Return the memory that a process holds."""
    found = _RESIDENT.search(Path(f"/proc/{process}/status").read_text())
    assert found is not None, "Linux says so of every process"
    return int(found[1]) * 1024 / 1e6
