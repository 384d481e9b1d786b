"""The life of one run's processes, from the launcher's start to the moment when nothing is left of them."""

import asyncio
import contextlib
import os
import signal
from typing import Final, Protocol

import msgspec

from lc_node.adapters.bubblewrap_process import Spawned, receive
from lc_node.adapters.cgroups import Usage
from lc_node.ports.sandbox import SandboxFailed, Status

KILLED: Final = 128 + signal.SIGKILL
"""The exit code of what was killed, as shells and bubblewrap count."""

_STATUS_BYTES_MAX: Final = 16 * 1024


class Meter(Protocol):
    """Whatever keeps the accounts of a run: its control group, or our own looking."""

    def usage(self) -> Usage:
        """Return what the run has used so far.

        Raises:
            OSError: the accounts cannot be read.
        """
        ...

    def hasten(self) -> None:
        """Let the run's processes be quick to die, where that can be done.

        Raises:
            OSError: there are none any more.
        """
        ...


class _BubblewrapStatus(msgspec.Struct, frozen=True, rename="kebab"):
    """What ``--json-status-fd`` says: at the start, and at the end if the program was reached."""

    child_pid: int | None = None
    exit_code: int | None = None


class Life:
    """Ends a run at its first reason to end; everything here happens in callbacks of the event loop.

    ``started`` is done when the job's first process exists, ``gone`` when its process namespace is empty.
    """

    def __init__(self, spawned: Spawned, *, wall_seconds: float, look_seconds: float) -> None:
        """Follow a launcher that was just spawned.

        Args:
            spawned: the launcher; its pidfd and its control socket are ours from now on.
            wall_seconds: the run ends after this time, which begins with the job's first process.
            look_seconds: how often the meter is asked, once there is one.
        """
        self._loop = asyncio.get_running_loop()
        self._pid, self._pidfd, self._control = spawned.pid, spawned.pidfd, spawned.control
        self._look_seconds = look_seconds
        self._began = self._loop.time()
        self._status_text = b""
        self._init_pid = 0
        self._init_pidfd: int | None = None
        self._meter: Meter | None = None
        self.started: asyncio.Future[None] = self._loop.create_future()
        self.gone: asyncio.Future[None] = self._loop.create_future()
        self.volumes: tuple[int, ...] = ()
        self.usage = Usage(cpu_ms=0, memory_peak_bytes=0, out_of_memory=False)
        self.ended_by: Status | None = None
        self.exit_code: int | None = None
        self.failure = ""
        self.wall_ms = 0
        self._loop.add_reader(self._pidfd, self._on_launcher_exit)
        self._loop.add_reader(self._control.fileno(), self._on_control)
        self._wall_seconds = wall_seconds
        self._deadline: asyncio.TimerHandle | None = None
        self._next_look: asyncio.TimerHandle | None = None

    def measure_by(self, meter: Meter) -> None:
        """Keep an eye on the run's accounts from now on."""
        self._meter = meter
        self._look()

    def end(self, reason: Status) -> None:
        """Kill every process of the run; the first reason counts, later ones change nothing."""
        if self.gone.done():
            return
        self.ended_by = self.ended_by or reason
        if self._meter is not None:
            with contextlib.suppress(OSError):
                self._meter.hasten()
        for pidfd in (self._init_pidfd, self._pidfd):
            if pidfd is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def close(self) -> None:
        """Let go of every descriptor and timer, whatever the state."""
        self._stop_watching()
        self._control.close()
        for descriptor in (self._pidfd, self._init_pidfd, *self.volumes):
            if descriptor is not None:
                os.close(descriptor)
        self.volumes = ()
        self.started.cancel()
        self.gone.cancel()

    def _on_control(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if not self._read_control():
                self._loop.remove_reader(self._control.fileno())

    def _read_control(self) -> bool:
        """Read what the launcher and then bubblewrap say; False once there can be no more.

        The job has no hold of this socket: bubblewrap keeps it to itself.
        """
        data, descriptors = receive(self._control)
        if descriptors:
            self.volumes = tuple(descriptors)
        self._status_text += data
        *lines, self._status_text = self._status_text.split(b"\n")
        for line in lines:
            self._on_status_line(line)
        return bool(data) and len(self._status_text) <= _STATUS_BYTES_MAX

    def _on_status_line(self, line: bytes) -> None:
        if line.startswith(b"failed: "):
            self.failure = line.decode(errors="replace").removeprefix("failed: ")
        elif line.startswith(b"{"):
            status = msgspec.json.decode(line, type=_BubblewrapStatus)
            if status.child_pid is not None:
                self._on_started(status.child_pid)
            if status.exit_code is not None:
                self.exit_code = status.exit_code

    def _on_started(self, init_pid: int) -> None:
        self._init_pid = init_pid
        self._began = self._loop.time()
        self._deadline = self._loop.call_later(self._wall_seconds, self.end, Status.TIMED_OUT)
        with contextlib.suppress(ProcessLookupError):
            self._init_pidfd = os.pidfd_open(init_pid)
        if self.ended_by is not None:
            self.end(self.ended_by)
        if not self.started.done():
            self.started.set_result(None)

    def _on_launcher_exit(self) -> None:
        """Bubblewrap has ended; the run is gone when its first process is, for the kernel ends that one last."""
        self._loop.remove_reader(self._pidfd)
        os.waitpid(self._pid, 0)
        with contextlib.suppress(BlockingIOError):
            while self._read_control():
                continue
        if self._init_pidfd is None:
            self._on_gone()
        else:
            self._loop.add_reader(self._init_pidfd, self._on_gone)

    def _on_gone(self) -> None:
        with contextlib.suppress(
            ChildProcessError
        ):  # ours only where the node is its machine's init
            os.waitpid(self._init_pid or self._pid, os.WNOHANG)
        self._measure()
        self._stop_watching()
        self.wall_ms = round((self._loop.time() - self._began) * 1000)
        self.gone.set_result(None)
        if not self.started.done():
            why = self.failure or "bubblewrap ended before the job began"
            self.started.set_exception(SandboxFailed(why))

    def _look(self) -> None:
        self._measure()
        if self.usage.out_of_memory:
            self.end(Status.OUT_OF_MEMORY)
        self._next_look = self._loop.call_later(self._look_seconds, self._look)

    def _measure(self) -> None:
        if self._meter is None:
            return
        try:
            self.usage = self._meter.usage()
        except OSError as error:
            self.failure = f"the run's accounts cannot be read: {error}"
            self.end(Status.CANCELLED)

    def _stop_watching(self) -> None:
        for timer in (self._deadline, self._next_look):
            if timer is not None:
                timer.cancel()
        for descriptor in (self._pidfd, self._init_pidfd):
            if descriptor is not None:
                self._loop.remove_reader(descriptor)
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
