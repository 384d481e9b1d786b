"""A whole graph on this machine: homes, one genesis, and the nodes as processes."""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final

from lc_node.api.calls import GetStatus
from lc_node.api.client import ApiError, Client
from lc_node.api.endpoint import ENDPOINT_FILE, find_endpoint
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis
from lc_node.chain.params import CREDIT, DEVNET, ProtocolParams
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount, Digest, Link, MicroCredits, Millis
from lc_node.runtime.genesis_builder import Founder, build_genesis
from lc_node.runtime.home import Home, Identity

_THIS_MACHINE: Final = "127.0.0.1"
_PORT_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
_PORTS_AMONG: Final = 12_000
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_OFFER: Final = Resources(
    millicpus=1000,
    memory_bytes=ByteCount(8 * 1024**3),
    disk_bytes=ByteCount(8 * 1024**3),
    gpus=0,
)


class DevnetRuns(LearningChainError):
    """The nodes of a folder run already."""

    def __init__(self, home: Path) -> None:
        """Name the home of one of them."""
        super().__init__(
            f"the nodes of {home.parent} run already: use them (LC_NODE={home}), stop them where they were started "
            "(Ctrl-C), or name another --folder"
        )


class NodeDied(LearningChainError):
    """A node of the devnet ended by itself."""

    def __init__(self, name: str, log: Path) -> None:
        """Name the node and show the end of its log."""
        words = log.read_text(errors="replace")[-2000:]
        super().__init__(f"node {name} ended; the end of {log}:\n{words}")


class NotReady(LearningChainError):
    """The nodes did not find each other in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """One node of a devnet: what it owns and what it does."""

    name: str
    balance: int = 1000
    """Credits."""
    bonded: int = 0
    votes: bool = False
    trains: bool = False
    conduct: str = "honest"


DEMO: Final = (
    Role(name="submitter", bonded=100, votes=True),
    Role(name="trainer-1", bonded=20, trains=True),
    Role(name="trainer-2", bonded=20, trains=True),
    Role(name="evaluator-1", bonded=100, votes=True),
    Role(name="evaluator-2", bonded=100, votes=True),
    Role(name="evaluator-3", bonded=100, votes=True),
    Role(name="liar", trains=True, conduct="liar"),
)
"""A submitter, two trainers, three that only evaluate, and a liar without a bond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node of the devnet lives."""

    role: Role
    home: Home
    identity: Identity
    port: int
    host: str = _THIS_MACHINE


def prepare(
    folder: Path,
    roles: Sequence[Role] = DEMO,
    *,
    hosts: Sequence[str] | None = None,
    others: Sequence[Founder] = (),
    params: ProtocolParams = DEVNET,
) -> tuple[Place, ...]:
    """Make the homes, the settings and the one genesis document of a devnet.

    What is there of it already is kept: its chain goes on, on other ports. ``hosts`` are the addresses
    at which the nodes listen, where they do not share one; ``others`` have an account and no node;
    a new chain begins with ``params``.
    """
    ports = free_ports(len(roles))
    places = tuple(
        Place(role=role, home=home, identity=_identity(home), port=port, host=host)
        for role, port, host in zip(
            roles, ports, hosts or [_THIS_MACHINE] * len(roles), strict=True
        )
        for home in (Home(folder / role.name),)
    )
    genesis = _genesis(places, others, params)
    for place in places:
        place.home.use_genesis(genesis)
        place.home.config_path.write_text(_config_text(place, places), encoding="utf-8")
    return places


def validate_stopped(folder: Path) -> None:
    """Check that no node of a folder runs: its settings are about to be written anew.

    Raises:
        DevnetRuns: one does.
    """
    for announcement in sorted(folder.glob(f"*/{ENDPOINT_FILE}")):
        home = announcement.parent
        with suppress(ApiError):
            find_endpoint(home, os.environ)
            raise DevnetRuns(home)


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody listens on.

    If there are such, they are below those that the system itself gives to connections, which might take one before it
    is listened on.
    """
    below, draw = (
        _ephemeral_from(),
        random.SystemRandom(),
    )  # which no seed of a test makes the same for two
    first = range(max(1_024, below - _PORTS_AMONG), below)
    drawn = chain(draw.sample(first, len(first)), draw.sample(range(1_024, 65_536), _PORTS_AMONG))
    return list(islice(filter(_is_free, dict.fromkeys(drawn)), count))


def _ephemeral_from() -> int:
    """Return the first port that the system gives to connections (ip_local_port_range of Linux)."""
    try:
        return int(_PORT_RANGE.read_text().split()[0])
    except OSError:
        return 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((_THIS_MACHINE, port))
        except OSError:
            return False
        return True


class Devnet:
    """The processes of a devnet; they end when this one does."""

    def __init__(self, places: Sequence[Place]) -> None:
        """Manage the nodes that live at ``places``."""
        self.places = tuple(places)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a node, again if it was killed; returns at once."""
        place = self.place(name)
        with log_of(place).open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603  # our own program
                self.command(place),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def command(self, place: Place) -> list[str]:
        """Return the command line of a node, which is to end with its stdin."""
        return [
            *(sys.executable, "-m", "lc_node", "--home", str(place.home.path), "run"),
            *("--until-eof", "--conduct", place.role.conduct),
        ]

    def start_all(self) -> None:
        """Start every node."""
        for place in self.places:
            self.start(place.role.name)

    def place(self, name: str) -> Place:
        """Return where a node lives."""
        return next(place for place in self.places if place.role.name == name)

    def client(self, name: str) -> Client:
        """Connect to a node."""
        return Client(self.place(name).home.path)

    def wait_ready(self, names: Sequence[str] | None = None) -> None:
        """Return when the nodes answer and each sees all the others.

        Raises:
            NodeDied: one of them ended.
            NotReady: they did not find each other in time.
        """
        wanted = [place.role.name for place in self.places] if names is None else list(names)
        deadline = time.monotonic() + _START_SECONDS
        while not all(self._sees(name, len(wanted) - 1) for name in wanted):
            for name in wanted:
                self._check_alive(name)
            if time.monotonic() > deadline:
                message = f"the nodes did not find each other in {_START_SECONDS:g} s"
                raise NotReady(message)
            time.sleep(_POLL_SECONDS)

    def process(self, name: str) -> int:
        """Return the number of a running node's process, for who measures it."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """End a node as a power cut would."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()
        _close(process.stdin)

    def stop(self) -> None:
        """Ask every node to stop, and end those that do not."""
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close(process.stdin)
        self._processes.clear()

    def _check_alive(self, name: str) -> None:
        if self._processes[name].poll() is not None:
            raise NodeDied(name, log_of(self.place(name)))

    def _sees(self, name: str, peers: int) -> bool:
        try:
            with self.client(name) as client:
                return client.call(GetStatus()).peers >= peers
        except ApiError:
            return False


@contextmanager
def running(folder: Path, roles: Sequence[Role] = DEMO) -> Iterator[Devnet]:
    """Prepare and start a devnet in ``folder``; stop it and remove the folder at the end."""
    devnet = Devnet(prepare(folder, roles))
    try:
        devnet.start_all()
        devnet.wait_ready()
        yield devnet
    finally:
        devnet.stop()
        shutil.rmtree(folder, ignore_errors=True)


def log_of(place: Place) -> Path:
    """Return where a node's log is kept."""
    return place.home.path / "node.log"


def _identity(home: Home) -> Identity:
    return home.identity() if home.key_path.exists() else home.create(None)


def _genesis(
    places: Sequence[Place], others: Sequence[Founder], params: ProtocolParams
) -> Genesis:
    """Return the document that one of the homes has; a new one if none has."""
    for place in places:
        if place.home.genesis_path.exists():
            return place.home.genesis()
    now = Millis(time.time_ns() // 1_000_000)
    founders = [*(_founder(place) for place in places), *others]
    return build_genesis("devnet", params, now, founders)


def _founder(place: Place) -> Founder:
    role, identity = place.role, place.identity
    return Founder(
        key=identity.key,
        balance=MicroCredits(role.balance * CREDIT),
        bonded=MicroCredits(role.bonded * CREDIT),
        link=Link(Digest(bytes.fromhex(identity.link))) if role.votes else None,
        offers=_OFFER if role.bonded else None,
    )


def _config_text(place: Place, places: Sequence[Place]) -> str:
    """Return settings of a node that dials those before it."""
    lines = [
        "[network]",
        f'host = "{place.host}"',
        f"port = {place.port}",
        "multicast = false",
        "[work]",
        f"work = {str(place.role.trains).lower()}",
    ]
    for peer in places[: places.index(place)]:
        lines += [
            "[[network.peers]]",
            f'address = "{peer.identity.address}"',
            f'transport_key = "{peer.identity.transport_key}"',
            f'host = "{peer.host}"',
            f"port = {peer.port}",
        ]
    return "\n".join(lines) + "\n"


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()
