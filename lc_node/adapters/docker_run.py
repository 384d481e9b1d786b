"""One run in a container, as the worker sees it."""

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from lc_node.adapters.cgroups import Cgroup, CgroupsUnusable, Usage, group_of
from lc_node.adapters.docker_engine import DockerEngine
from lc_node.adapters.docker_init import SECRET_BYTES, job_exit_code
from lc_node.adapters.docker_output import OutFolder, take_from
from lc_node.adapters.docker_streams import Streams
from lc_node.chain.types import ByteCount, MillisSpan
from lc_node.ports.sandbox import (
    BadOutputFile,
    Limits,
    Outcome,
    SandboxFailed,
    Status,
    TakenFile,
)

END_SECONDS_MAX: Final = 30
KILLED: Final = 128 + 9
"""The exit code of what was killed, as shells count."""

_LOOK_SECONDS: Final = 0.1
_MOUNTS: Final = Path("/proc/self/mounts")

_T = TypeVar("_T")


class DockerRun:
    """A run from its container's making to its removal; see ``ports.sandbox.Run``."""

    def __init__(self, engine: DockerEngine, container: str, limits: Limits, out: str) -> None:
        """Follow a container that was just made.

        Args:
            engine: whose container it is.
            container: its name.
            limits: what the run may use; the engine has been told most of them.
            out: the folder inside that ``take`` reads from.
        """
        self._loop = asyncio.get_running_loop()
        self._engine, self._container, self._out = engine, container, out
        self._wall_seconds = limits.wall / 1000
        self._secret = _secret()
        self._streams = Streams(
            self._secret,
            limits,
            on_excess=lambda: self._end(Status.OUTPUT_LIMIT),
            on_report=self._on_report,
            on_lost=self._on_lost,
        )
        self._connection: socket.socket | None = None
        self._cgroup: Cgroup | None = None
        self._usage = Usage(cpu_ms=0, memory_peak_bytes=0, out_of_memory=False)
        self._taking = threading.Lock()
        self._is_found = False
        self._report: bytes | None = None
        self._ended_by: Status | None = None
        self._exit_code: int | None = None
        self._began = self._loop.time()
        self._wall_ms = 0
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._timers: list[asyncio.TimerHandle] = []

    async def start(self) -> None:
        """Attach to the container, start it, and return when it runs.

        Where the kernel keeps its accounts is found out beside the job.

        Raises:
            SandboxFailed: it does not.
        """
        await uninterrupted(self._begin)
        self._began = self._loop.time()
        self._timers = [self._loop.call_later(self._wall_seconds, self._end, Status.TIMED_OUT)]
        found = self._loop.run_in_executor(None, self._find_group)
        found.add_done_callback(self._on_found)
        await self._loop.create_unix_connection(lambda: self._streams, sock=self._connection)
        self._connection = None

    async def read_line(self) -> bytes | None:
        """Return the next line of stdout without its newline; None when there will be no more."""
        return await self._streams.read_line()

    async def write_line(self, line: bytes) -> None:
        """Write one line to stdin; silently lost if the job no longer reads."""
        await self._streams.write_line(line)

    async def take(self, name: str, into: Path, *, bytes_max: ByteCount) -> TakenFile:
        """Copy a file of the run's folder to ``into``, in a thread; also after the job's own end.

        A job that runs stands still meanwhile, and its time goes on.

        Raises:
            BadOutputFile: it is missing, a link, not a regular file, or larger than ``bytes_max``; or the run was
                ended by a limit, which leaves nothing.
        """
        if self._ended_by is not None:
            raise BadOutputFile("the run was ended and has left no files")
        return await asyncio.to_thread(self._take, name, into, bytes_max)

    def kill(self) -> None:
        """End the run now; ``wait`` then reports CANCELLED."""
        self._end(Status.CANCELLED)

    async def wait(self) -> Outcome:
        """Return when the run has ended and no process of it is left.

        Raises:
            SandboxFailed: the container ended without having run the job, or could not be ended.
        """
        await asyncio.shield(self._gone)
        return Outcome(
            status=self._ended_by or Status.EXITED,
            exit_code=KILLED if self._exit_code is None else self._exit_code,
            wall=MillisSpan(self._wall_ms),
            cpu=MillisSpan(self._usage.cpu_ms),
            memory_peak_bytes=ByteCount(self._usage.memory_peak_bytes),
            log_tail=self._streams.log_tail,
            held_back=None
            if self._usage.held_back_ms is None
            else MillisSpan(self._usage.held_back_ms),
        )

    def close(self) -> None:
        """Let go of everything; what is left of the container ends with its connection, or by its removal."""
        self._stop_timers()
        self._streams.close()
        if self._connection is not None:
            self._connection.close()
        if self._gone.done() and not self._gone.cancelled():
            self._gone.exception()  # whoever has not waited does not want to know
        self._gone.cancel()

    def _take(self, name: str, into: Path, bytes_max: ByteCount) -> TakenFile:
        with self._taking:  # the first to be done lets the job go on
            folder = OutFolder(
                container=self._container, path=self._out, is_final=self._report is not None
            )
            return take_from(self._engine, folder, name=name, into=into, bytes_max=bytes_max)

    def _begin(self) -> None:
        """Attach, hand the first process its secret, and let it run; blocks."""
        self._connection = self._engine.attach(self._container)
        self._connection.sendall(self._secret)
        self._engine.start(self._container)

    def _find_group(self) -> Cgroup | None:
        """Return where the accounts are; None if it has ended already, else the canary has seen it. Blocks."""
        try:
            return group_of(self._engine.pid(self._container), _MOUNTS.read_text())
        except CgroupsUnusable:
            return None

    def _on_found(self, found: "asyncio.Future[Cgroup | None]") -> None:
        """Begin to look at the accounts; what has waited for them goes on."""
        error = None if found.cancelled() else found.exception()
        if self._gone.done() or found.cancelled():
            return
        if error is not None:
            self._finish(error)
            return
        self._cgroup, self._is_found = found.result(), True
        if self._ended_by is not None:
            self._measure()
        elif self._report is not None:
            self._conclude(self._report)
        else:
            self._look()

    def _end(self, reason: Status) -> None:
        """Kill the container, unless the job has ended; the first reason counts."""
        if self._ended_by is not None or self._report is not None or self._gone.done():
            return
        self._ended_by = reason
        self._measure()
        if self._cgroup is not None:
            with contextlib.suppress(OSError):
                self._cgroup.hasten()
        self._streams.stop_listening()
        killed = self._loop.run_in_executor(None, self._engine.kill, self._container)
        killed.add_done_callback(self._on_killed)

    def _on_killed(self, killed: "asyncio.Future[None]") -> None:
        error = None if killed.cancelled() else killed.exception()
        self._finish(error)

    def _on_report(self, report: bytes) -> None:
        """The first process says that nothing of the job is left; the container stays, for ``take``."""
        self._report = report
        if self._is_found:
            self._conclude(report)

    def _conclude(self, report: bytes) -> None:
        """Read the accounts a last time: a short job has ended before we know where they are."""
        if self._ended_by is not None or self._gone.done():
            return
        self._measure()
        self._exit_code = job_exit_code(report)
        if self._usage.out_of_memory:
            self._ended_by = Status.OUT_OF_MEMORY
        self._finish(None)

    def _on_lost(self) -> None:
        """The container has ended as a whole, first process and all; ask the engine why."""
        if self._ended_by is not None or self._gone.done():
            return
        asked = self._loop.run_in_executor(None, self._why)
        asked.add_done_callback(self._on_answer)

    def _why(self) -> str:
        """Return what went wrong; empty if it was the job's memory."""
        self._engine.kill(self._container)
        ended = self._engine.ended(self._container)
        return "" if ended.out_of_memory else f"the job's container was lost: {ended.text}"

    def _on_answer(self, asked: "asyncio.Future[str]") -> None:
        if self._ended_by is not None or self._gone.done():
            return
        if asked.exception() is not None or (asked.result() and not self._usage.out_of_memory):
            self._finish(asked.exception() or SandboxFailed(asked.result()))
            return
        self._ended_by = Status.OUT_OF_MEMORY
        self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        self._stop_timers()
        if self._gone.done():
            return
        self._wall_ms = round((self._loop.time() - self._began) * 1000)
        if error is None:
            self._gone.set_result(None)
        else:
            self._gone.set_exception(error)

    def _look(self) -> None:
        self._measure()
        if self._usage.out_of_memory:
            self._end(Status.OUT_OF_MEMORY)
        elif not self._gone.done():
            self._timers[1:] = [self._loop.call_later(_LOOK_SECONDS, self._look)]

    def _measure(self) -> None:
        """Read the accounts; they go with the container, and then the last look counts."""
        if self._cgroup is not None:
            with contextlib.suppress(OSError):
                self._usage = self._cgroup.usage()

    def _stop_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()


async def uninterrupted(call: Callable[..., _T], *arguments: object) -> _T:
    """Make a blocking call in a thread, and see it through: half of it could not be undone."""
    future = asyncio.get_running_loop().run_in_executor(None, call, *arguments)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        future.exception()  # whoever has given up does not want to know
        raise


def _secret() -> bytes:
    """Draw what only the container's first process will know; without a newline it is never mistaken for a line's end."""
    while b"\n" in (drawn := secrets.token_bytes(SECRET_BYTES)):
        continue
    return drawn
