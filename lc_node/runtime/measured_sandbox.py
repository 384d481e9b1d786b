"""A sandbox that counts what it runs; everything else is done by the one inside."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import (
    Capabilities,
    Outcome,
    Run,
    RunRequest,
    Sandbox,
    SandboxFailed,
    Status,
    TakenFile,
)
from lc_node.runtime.histogram import Histogram

MINUTES: Final = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
"""Bounds for runs: from a tenth of a second to hours."""


class MeasuredSandbox:
    """Implements ``ports.sandbox.Sandbox``."""

    def __init__(self, inside: Sandbox) -> None:
        """Run in ``inside``."""
        self._inside = inside
        self.running = 0
        self.outcomes: Final[Counter[str]] = Counter()
        """Runs by how they ended: ``exited``, ``crashed``, the limits, ``cancelled``, ``sandbox_failed``."""
        self.wall_seconds: Final = Histogram(MINUTES)
        self.cpu_seconds = 0.0

    async def probe(self) -> Capabilities:
        """Run a canary and report what is really enforced."""
        return await self._inside.probe()

    def open(self, request: RunRequest) -> AbstractAsyncContextManager[Run]:
        """Start a run and count it."""
        return self._opened(request)

    async def reap(self) -> None:
        """Remove what an earlier life of this node left behind."""
        await self._inside.reap()

    @asynccontextmanager
    async def _opened(self, request: RunRequest) -> AsyncIterator[Run]:
        self.running += 1
        try:
            async with self._inside.open(request) as run:
                yield _MeasuredRun(run, self)
        except SandboxFailed:
            self.outcomes["sandbox_failed"] += 1
            raise
        finally:
            self.running -= 1

    def count(self, outcome: Outcome) -> None:
        """Count a run that has ended."""
        is_crash = outcome.status is Status.EXITED and outcome.exit_code != 0
        self.outcomes["crashed" if is_crash else outcome.status.value] += 1
        self.wall_seconds.observe(outcome.wall / 1000)
        self.cpu_seconds += outcome.cpu / 1000


class _MeasuredRun:
    """A run whose outcome is counted once."""

    def __init__(self, inside: Run, sandbox: MeasuredSandbox) -> None:
        self._inside = inside
        self._sandbox = sandbox
        self._is_counted = False

    async def read_line(self) -> bytes | None:
        return await self._inside.read_line()

    async def write_line(self, line: bytes) -> None:
        await self._inside.write_line(line)

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        return await self._inside.take(name, into, bytes_max=bytes_max)

    def kill(self) -> None:
        self._inside.kill()

    async def wait(self) -> Outcome:
        outcome = await self._inside.wait()
        if not self._is_counted:
            self._is_counted = True
            self._sandbox.count(outcome)
        return outcome
