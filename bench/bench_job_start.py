"""job.start: how much later a job's first line comes out of the sandbox than out of a process."""

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Final

from bench.harness import Measured, NothingMeasured, Target, measure_pairs
from bench.sandbox_runs import WORD, Echo
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.ports.sandbox import SandboxUnavailable

PAIRS: Final = 7
STARTS: Final = 20
"""In each sample."""

EXTRA_MS: Final = 60.0
EXTRA: Final = Target(name="job.start", unit="ms more", limit=1, at_least=False)
TWO: Final = Target(name="job.start.two", unit="jobs/s", limit=1.5, at_least=True)

Start = Callable[[], Coroutine[None, None, float]]
"""Starts a program and returns the seconds until its first line; it has ended by then."""


def run() -> list[Measured]:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        echo = Echo.below(Path(folder))
        raw, sandboxed = _raw(echo.words), _sandboxed(echo)
        _check(sandboxed)
        return [
            measure_pairs(
                EXTRA,
                lambda: 1000 * (_median_start(sandboxed) - _median_start(raw)),
                lambda: EXTRA_MS,
                pairs=PAIRS,
            ),
            measure_pairs(
                TWO,
                lambda: _rate(sandboxed, at_once=2),
                lambda: _rate(sandboxed, at_once=1),
                pairs=PAIRS,
            ),
        ]


def sandboxed_echo(folder: Path) -> Callable[[], float]:
    """Return what measures the median seconds from opening a sandbox to its first line.

    Raises:
        NothingMeasured: there is no sandbox on this machine.
    """
    start = _sandboxed(Echo.below(folder))
    _check(start)
    return lambda: _median_start(start)


def _sandboxed(echo: Echo) -> Start:
    sandbox = BubblewrapSandbox("bench")
    return lambda: echo.first_line_seconds(sandbox)


def _raw(words: tuple[str, ...]) -> Start:
    async def start() -> float:
        since = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None, "it is a pipe"
        line = await process.stdout.readline()
        seconds = time.perf_counter() - since
        await process.wait()
        assert line.strip() == WORD.encode()
        return seconds

    return start


def _check(start: Start) -> None:
    """Start once, beforehand.

    Raises:
        NothingMeasured: there is no sandbox on this machine.
    """
    try:
        asyncio.run(start())
    except SandboxUnavailable as error:
        raise NothingMeasured(str(error)) from error


def _median_start(start: Start) -> float:
    """Return the median seconds to the first line, one start after the other."""

    async def measure() -> float:
        times = sorted([await start() for _ in range(STARTS)])
        return times[STARTS // 2]

    return asyncio.run(measure())


def _rate(start: Start, *, at_once: int) -> float:
    """Return how many jobs a second run from start to end, so many of them at a time."""

    async def some() -> None:
        for _ in range(STARTS // at_once):
            await start()

    async def measure() -> float:
        since = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(some())
        return STARTS / (time.perf_counter() - since)

    return asyncio.run(measure())
