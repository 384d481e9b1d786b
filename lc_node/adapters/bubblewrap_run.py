"""One run in bubblewrap, as the worker sees it."""

import asyncio
import os
from pathlib import Path
from typing import Final

from lc_node.adapters.bubblewrap_life import KILLED, Life
from lc_node.adapters.bubblewrap_output import take_file
from lc_node.adapters.bubblewrap_process import Spawned
from lc_node.adapters.bubblewrap_streams import Streams
from lc_node.adapters.cgroups import Cgroup
from lc_node.adapters.process_tree import ProcessTree
from lc_node.adapters.sandbox_policy import NO_PROGRAM
from lc_node.chain.types import ByteCount, MillisSpan
from lc_node.ports.sandbox import (
    BadOutputFile,
    Limits,
    Outcome,
    SandboxFailed,
    Status,
    TakenFile,
)

START_SECONDS_MAX: Final = 10
END_SECONDS_MAX: Final = 10

_HARD_LOOK_SECONDS: Final = 0.1
_SOFT_LOOK_SECONDS: Final = 0.025


class BubblewrapRun:
    """A run from its launch to the moment when nothing is left of it; see ``ports.sandbox.Run``."""

    def __init__(
        self, spawned: Spawned, limits: Limits, cgroup: Cgroup | None, *, has_disk: bool = False
    ) -> None:
        """Follow a launcher that was just spawned; without a control group, count for ourselves.

        With ``has_disk``, /lc/out is no memory.
        """
        look_seconds = _SOFT_LOOK_SECONDS if cgroup is None else _HARD_LOOK_SECONDS
        self._pid = spawned.pid
        self._limits = limits
        self._cgroup = cgroup
        self._has_disk = has_disk
        self._life = Life(spawned, wall_seconds=limits.wall / 1000, look_seconds=look_seconds)
        self._streams = Streams(spawned, limits, self._on_excess)

    async def start(self) -> None:
        """Return once the job's first process exists.

        Raises:
            SandboxFailed: it does not; the message says at which step the launch failed.
        """
        await self._streams.open()
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await asyncio.shield(self._life.started)
        except TimeoutError as error:
            raise SandboxFailed("the sandbox did not start in time") from error
        except SandboxFailed as error:
            self._streams.drain_log()
            raise SandboxFailed(f"{error} {self._streams.log_tail}".strip()) from error
        in_memory = self._life.volumes[1:] if self._has_disk else self._life.volumes
        meter = self._cgroup or ProcessTree(
            self._pid, in_memory, memory_bytes=self._limits.memory_bytes
        )
        self._life.measure_by(meter)

    async def read_line(self) -> bytes | None:
        """Return the next line of stdout without its newline; None when there will be no more."""
        return await self._streams.read_line()

    async def write_line(self, line: bytes) -> None:
        """Write one line to stdin; silently lost if the job no longer reads."""
        await self._streams.write_line(line)

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        """Copy the file ``name`` of the outputs to ``into``, in a thread; also after the run's end.

        Raises:
            BadOutputFile: it is missing, a link, not a regular file, or larger than ``bytes_max``.
        """
        if not self._life.volumes:
            raise BadOutputFile("the run has left nothing")
        folder = os.dup(self._life.volumes[0])
        return await asyncio.to_thread(_take_and_close, folder, name, into, bytes_max)

    def kill(self) -> None:
        """End the run now; ``wait`` then reports CANCELLED."""
        self._life.end(Status.CANCELLED)

    async def wait(self) -> Outcome:
        """Return when the run has ended and everything of it is gone.

        Raises:
            SandboxFailed: bubblewrap ended without having run the job.
        """
        await asyncio.shield(self._life.gone)
        self._streams.drain_log()
        status = self._status()
        if self._life.failure or status is None:
            raise SandboxFailed(f"{self._life.failure} {self._streams.log_tail}".strip())
        usage = self._life.usage
        return Outcome(
            status=status,
            exit_code=self._exit_code(),
            wall=MillisSpan(self._life.wall_ms),
            cpu=MillisSpan(usage.cpu_ms),
            memory_peak_bytes=ByteCount(usage.memory_peak_bytes),
            log_tail=self._streams.log_tail,
            held_back=None if usage.held_back_ms is None else MillisSpan(usage.held_back_ms),
        )

    async def close(self) -> None:
        """Kill what is left, wait until it has gone, and let go of everything.

        Raises:
            SandboxFailed: some of it is still there after ten seconds.
        """
        self.kill()
        try:
            async with asyncio.timeout(END_SECONDS_MAX):
                await asyncio.shield(self._life.gone)
        except TimeoutError as error:
            raise SandboxFailed("a job could not be killed") from error
        finally:
            self._streams.close()
            self._life.close()

    def _status(self) -> Status | None:
        """Say how the run ended; None if the job never began."""
        if self._life.ended_by is not None:
            return self._life.ended_by
        if self._life.usage.out_of_memory:
            return Status.OUT_OF_MEMORY
        has_run = self._life.exit_code is not None or self._has_no_program()
        return Status.EXITED if has_run else None

    def _exit_code(self) -> int:
        if self._life.exit_code is not None:
            return self._life.exit_code
        return NO_PROGRAM if self._has_no_program() else KILLED

    def _has_no_program(self) -> bool:
        """Whether the last step failed, the only one that is up to the image: to execute its program.

        The log is bubblewrap's own then, since nothing of the job has run.
        """
        return self._life.exit_code is None and self._streams.log_tail.startswith("bwrap: execvp ")

    def _on_excess(self) -> None:
        self._life.end(Status.OUTPUT_LIMIT)


def _take_and_close(folder: int, name: str, into: Path, bytes_max: ByteCount) -> TakenFile:
    try:
        return take_file(folder, name, into, bytes_max=bytes_max)
    finally:
        os.close(folder)
