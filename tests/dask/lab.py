"""A Dask cluster of real processes on this machine, whose workers can be killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

START_SECONDS_MAX = 180
HOST = "127.0.0.1"
RESOURCES = "CPU=2 MEMORY=4e9"
FAR_RESOURCES = "CPU=3 MEMORY=4e9"
"""Of the worker that shares no file system with the node; who wants three processors gets it."""

WORKER = "from distributed.cli.dask_worker import main; main()"
SCHEDULER = "from distributed.cli.dask_scheduler import main; main()"


@dataclass(slots=True)
class Cluster:
    """A scheduler, and workers by name."""

    folder: Path
    security: Sequence[str] = ()
    """Options of Dask's programs for TLS."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """What ``--executor`` is given."""
        return "dask://" + self.scheduler_address.split("//")[1]

    @property
    def scheduler_address(self) -> str:
        """The scheduler's own word for it."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                return str(json.loads((self.folder / "scheduler.json").read_text())["address"])
            assert self.processes["scheduler"].poll() is None, self.log("scheduler")
            time.sleep(0.05)
        raise TimeoutError(self.log("scheduler"))

    def start_scheduler(self, port: int = 0) -> None:
        """Start it; its address is known when it has written its file."""
        words = ["--port", str(port), "--no-show", "--host", HOST]
        file = ["--scheduler-file", str(self.folder / "scheduler.json")]
        self._start("scheduler", [sys.executable, "-c", SCHEDULER, *words, *file, *self.security])

    def start_worker(
        self,
        name: str,
        resources: str = RESOURCES,
        *,
        wrapper: Sequence[str] = (),
        before: str = "",
    ) -> None:
        """Start a worker, under a wrapping command, after a line of Python; it is there a few seconds later."""
        words = [
            *("--no-nanny", "--no-dashboard", "--nthreads", "1", "--host", HOST),
            *("--name", name, "--local-directory", str(self.folder / name)),
            *(["--resources", resources] if resources else []),
        ]
        program = [sys.executable, "-c", f"{before}\n{WORKER}"]
        self._start(name, [*wrapper, *program, self.scheduler_address, *words, *self.security])

    def kill(self, name: str) -> None:
        """Kill a process as a power cut does."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def log(self, name: str) -> str:
        """Return the end of what a process has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]

    def close(self) -> None:
        """End all of them."""
        for process in reversed(self.processes.values()):  # the scheduler last: workers tell it
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _start(self, name: str, words: Sequence[str]) -> None:
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )


@contextlib.contextmanager
def cluster(folder: Path, *, security: Sequence[str] = (), port: int = 0) -> Iterator[Cluster]:
    """Run a scheduler, and whatever workers are started, until the end of the body."""
    running = Cluster(folder, security)
    running.start_scheduler(port)
    try:
        yield running
    finally:
        running.close()
