"""A sandbox whose lines somebody else hears too; everything else is done by the one inside."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import Capabilities, Outcome, Run, RunRequest, Sandbox, TakenFile

JOB: Final = "<"
NODE: Final = ">"

Hear = Callable[[str, bytes], None]
"""Told who speaks, the job (``<``) or the node (``>``), and the line."""


class OverheardSandbox:
    """Implements ``ports.sandbox.Sandbox``."""

    def __init__(self, inside: Sandbox, hear: Hear) -> None:
        """Run in ``inside``."""
        self._inside = inside
        self._hear = hear

    async def probe(self) -> Capabilities:
        """Run a canary and report what is really enforced."""
        return await self._inside.probe()

    def open(self, request: RunRequest) -> AbstractAsyncContextManager[Run]:
        """Start a run and pass on what is said in it."""
        return self._opened(request)

    async def reap(self) -> None:
        """Remove what an earlier life of this node left behind."""
        await self._inside.reap()

    @asynccontextmanager
    async def _opened(self, request: RunRequest) -> AsyncIterator[Run]:
        async with self._inside.open(request) as run:
            yield _OverheardRun(run, self._hear)


class _OverheardRun:
    """A run of which every line is passed on."""

    def __init__(self, inside: Run, hear: Hear) -> None:
        self._inside = inside
        self._hear = hear

    async def read_line(self) -> bytes | None:
        line = await self._inside.read_line()
        if line is not None:
            self._hear(JOB, line)
        return line

    async def write_line(self, line: bytes) -> None:
        self._hear(NODE, line)
        await self._inside.write_line(line)

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        return await self._inside.take(name, into, bytes_max=bytes_max)

    def kill(self) -> None:
        self._inside.kill()

    async def wait(self) -> Outcome:
        return await self._inside.wait()
