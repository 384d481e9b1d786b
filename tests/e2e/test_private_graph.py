"""A private graph of real processes: strangers learn nothing of it, guests come in and come again."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import replace

from lc_node.api.calls import GetPeers, GetStatus
from lc_node.api.client import Client
from lc_node.api.errors import ApiError
from lc_node.api.schema import Status
from lc_node.cli.exits import Exit
from lc_node.runtime.devnet import free_ports
from lc_node.runtime.home import Home
from lc_node.wire.join_line import read_join_line, write_join_line
from tests.e2e.graphs import SILENCE_SECONDS, short_folder

pytestmark = pytest.mark.slow

PATIENCE_SECONDS: Final = 120.0


class Place:
    """A home, and the programs that use it."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.port = free_ports(1)[0]
        path.mkdir(mode=0o700)
        self.home.config_path.write_text(
            f'[network]\nhost = "127.0.0.1"\nport = {self.port}\nmulticast = false\n'
            "[work]\nwork = false\n"
        )

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "lc_node", "--home", str(self.home.path), *arguments]

    def call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def say(self, *arguments: str) -> str:
        """Run a command that succeeds, and return what it prints."""
        done = self.call(*arguments)
        assert done.returncode == Exit.OK, done.stderr
        return done.stdout.strip()

    @contextmanager
    def living(self, *options: str) -> Iterator[None]:
        """Run the node for as long as the context lasts."""
        with (self.home.path / "node.log").open("ab") as log:
            process = subprocess.Popen(
                self.command("run", *options), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE_SECONDS)
            words = (self.home.path / "node.log").read_text(errors="replace")
            print(f"--- {self.home.path.name}\n{words}")  # noqa: T201 (pytest shows it if a test fails)

    def status(self) -> Status | None:
        try:
            with Client(self.home.path, silence_seconds=SILENCE_SECONDS) as client:
                return client.call(GetStatus())
        except ApiError:
            return None

    def wait_until(self, is_so: Callable[[Status], bool]) -> Status:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (status := self.status()) is None or not is_so(status):
            assert time.monotonic() < deadline, status
            threading.Event().wait(0.2)
        return status


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with short_folder() as path:
        yield path


@pytest.fixture(scope="module")
def member(folder: Path) -> Iterator[Place]:
    """The only member of a private graph, at home."""
    place = Place(folder / "member")
    place.say("init")
    document = str(folder / "genesis.bin")
    place.say(
        *("genesis", "new", "--private", "--graph", "ours", "--output", document),
        *("--member", f"{place.home.identity_path}:100:50"),
    )
    place.say("genesis", "use", document)
    with place.living():
        place.wait_until(lambda status: status.height >= 1)
        yield place


def test_a_stranger_gets_nothing_and_is_told_what_to_do(member: Place, folder: Path) -> None:
    stranger = Place(folder / "stranger")
    line = read_join_line(member.say("invite"))

    refused = stranger.call("join", write_join_line(replace(line, passes=())))

    assert refused.returncode == Exit.REFUSED
    assert "not invited: join by a line that `lc-node invite` prints" in refused.stderr
    assert not stranger.home.genesis_path.exists()


def test_an_invitation_for_one_node_lets_no_other_in(member: Place, folder: Path) -> None:
    thief = Place(folder / "thief")
    meant_for = Place(folder / "meant")
    meant_for.say("init")
    line = member.say("invite", "--for", meant_for.home.identity().address)

    refused = thief.call("join", line)

    assert refused.returncode == Exit.REFUSED
    assert "not invited" in refused.stderr
    assert "is on graph ours" in meant_for.say("join", line)


def test_a_guest_follows_the_chain_and_comes_again(member: Place, folder: Path) -> None:
    guest = Place(folder / "guest")
    with guest.living("--join", member.say("invite")):
        first = guest.wait_until(lambda status: status.height >= 1 and status.peers == 1)
    with guest.living():
        guest.wait_until(lambda status: status.height > first.height and status.peers == 1)

        assert guest.status() is not None
        with Client(member.home.path) as client:
            assert first.address in {peer.address for peer in client.call(GetPeers())}
