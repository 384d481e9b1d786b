"""Nodes started on empty homes, each on a machine of its own, with nothing but a command line."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lc_node.api.calls import GetStatus
from lc_node.api.client import Client
from lc_node.api.errors import ApiError
from lc_node.api.schema import Status
from tests.e2e.graphs import LOG_SHOWN, SILENCE_SECONDS, short_folder
from tests.net.lan import Host, Lan, lan

START_SECONDS: Final = 240.0
"""Until a graph is founded and runs, on a machine that others keep busy."""

_LOOK_SECONDS: Final = 0.2
_STOP_SECONDS: Final = 20.0


class Lab:
    """Machines on one network, and what runs on them."""

    def __init__(self, net: Lan, folder: Path) -> None:
        """Begin with nothing that runs."""
        self.net = net
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def home(self, name: str) -> Path:
        """Return where a machine's node keeps what it has."""
        return self._folder / name

    def start(self, host: Host, *arguments: str) -> None:
        """Start ``lc-node`` on a machine; its log is in its home's name."""
        command = [
            sys.executable,
            "-m",
            "lc_node",
            "--home",
            str(self.home(host.name)),
            *arguments,
        ]
        with self._log(host.name).open("ab") as log:
            self._processes[host.name] = subprocess.Popen(
                host.command(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, host: Host, *arguments: str) -> str:
        """Run a command of ``lc-node`` on a machine to its end; return what it says."""
        command = [
            sys.executable,
            "-m",
            "lc_node",
            "--home",
            str(self.home(host.name)),
            *arguments,
        ]
        done = subprocess.run(
            host.command(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def client(self, name: str) -> Client:
        """Connect to a node that may be slow to answer."""
        return Client(self.home(name), silence_seconds=SILENCE_SECONDS)

    def status(self, name: str) -> Status | None:
        """Ask a node how it is; None while it cannot answer."""
        try:
            with self.client(name) as client:
                return client.call(GetStatus())
        except ApiError:
            return None

    def wait_until(
        self, names: Sequence[str], is_so: Callable[[Status], bool], seconds: float = START_SECONDS
    ) -> list[Status]:
        """Return how the nodes are, once each of them is as wished."""
        deadline = time.monotonic() + seconds
        while True:
            found = [self.status(name) for name in names]
            good = [one for one in found if one is not None and is_so(one)]
            if len(good) == len(names):
                return good
            for name in names:
                assert self._processes[name].poll() is None, f"{name} has ended"
            assert time.monotonic() < deadline, f"after {seconds:g} s: {found}"
            time.sleep(_LOOK_SECONDS)

    def words(self, name: str) -> str:
        """Return what a node has logged."""
        return self._log(name).read_text(errors="replace")

    def stop(self) -> None:
        """End everything that runs."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def print_logs(self) -> None:
        """Print the end of what each node said; pytest shows it if a test fails."""
        for name in self._processes:
            print(f"--- {name}\n{self.words(name)[-LOG_SHOWN:]}")  # noqa: T201

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.log"


@contextmanager
def lab(names: Sequence[str]) -> Iterator[Lab]:
    """Lend machines on one network, with nothing on them."""
    with short_folder() as folder, lan(names) as net:
        made = Lab(net, folder)
        try:
            yield made
        finally:
            made.stop()
            made.print_logs()
