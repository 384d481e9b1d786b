"""Graphs whose nodes live on machines of their own, as far as one machine can show that."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lc_node.api.calls import GetStatus
from lc_node.api.schema import Status
from lc_node.runtime.devnet import Devnet, Place, Role, log_of, prepare
from tests.e2e.graphs import LOG_SHOWN, patient_client
from tests.e2e.ledgers import credits_created_or_lost, final_state, votes_signed
from tests.e2e.small_disk import SmallDisk, mounted
from tests.net.lan import Host, lan
from tests.net.lines import PERFECT
from tests.net.payments import Payments
from tests.net.switch import Switch
from tests.net.witness import Witness

NAMES: Final = tuple(f"node-{number}" for number in range(1, 8))
ROLES: Final = tuple(Role(name=name, bonded=100, votes=True) for name in NAMES)
"""Seven of equal weight: five are a quorum."""

CRAMPED: Final = "node-4"
"""It has a small disk of its own."""

LOOK_SECONDS: Final = 0.05
PATIENCE_SECONDS: Final = 60.0
"""For what happens sooner or later."""

_SOON_SECONDS: Final = 10.0
_SOON_PAYMENTS: Final = 30


def soon_seconds(usual: float) -> float:
    """Return within what time a mended graph goes on: 10 s, unless its payments take long on this machine."""
    return max(_SOON_SECONDS, _SOON_PAYMENTS * usual)


_PRELOADED: Final = "*/faketime/libfaketime.so.1"


class NetDevnet(Devnet):
    """A devnet, each of whose nodes runs on a host; its clock may be wrong."""

    def __init__(self, places: Sequence[Place], hosts: Mapping[str, Host]) -> None:
        """Manage the nodes at ``places``, which run on the hosts of their names."""
        super().__init__(places)
        self._hosts = hosts
        self.clock_errors: dict[str, int] = {}
        """By how many seconds the clock of a node is ahead, from its next start on."""

    def command(self, place: Place) -> list[str]:
        """Return the command line of a node on its host."""
        error = self.clock_errors.get(place.role.name, 0)
        clock = _faked(error) if error else []
        return self._hosts[place.role.name].command([*clock, *super().command(place)])

    def lives(self, name: str) -> bool:
        """Tell whether a node runs."""
        return name in self._processes and self._processes[name].poll() is None

    def exit_code(self, name: str) -> int | None:
        """Return how a node ended that has ended by itself."""
        return self._processes[name].poll()

    def restart(self, name: str, *, clock_error: int = 0) -> None:
        """Start a node, which is killed first if it runs, with a clock that is so many seconds ahead."""
        self.clock_errors[name] = clock_error
        if name in self._processes:
            self.kill(name)
        self.start(name)

    def is_whole(self) -> bool:
        """Tell whether every node runs, with the right clock."""
        return all(map(self.lives, self._hosts)) and not any(self.clock_errors.values())

    def mend(self) -> None:
        """Start every node again that does not run, or has a wrong clock."""
        for name in self._hosts:
            if not self.lives(name) or self.clock_errors.get(name):
                self.restart(name)


class Graph:
    """A running graph: its nodes, its wires, and a witness of all that became final."""

    def __init__(self, devnet: NetDevnet, switch: Switch, disk: SmallDisk) -> None:
        """Look after a graph that runs; the disk is that of ``CRAMPED``."""
        self.devnet = devnet
        self.switch = switch
        self.disk = disk
        self.witness = Witness(devnet.places)

    def status(self, name: str) -> Status:
        """Ask a node how it is."""
        with patient_client(self.devnet, name) as client:
            return client.call(GetStatus())

    def heights(self, names: Sequence[str] = NAMES) -> list[int]:
        """Return how far some nodes' chains reach; none of them contradicts another."""
        found = self.witness.look()
        return [found[name] for name in names]

    def seconds_until(self, is_there: Callable[[], bool], within: float) -> float:
        """Return how long it takes until a condition holds, which it must in time."""
        since = time.monotonic()
        while not is_there():
            passed = time.monotonic() - since
            assert passed < within, f"not yet after {passed:.1f} s, at {self.heights()}"
            time.sleep(LOOK_SECONDS)
        return time.monotonic() - since

    def seconds_until_all_go_on(self, within: float) -> float:
        """Return how long it takes until every node has a block that no node has now."""
        highest = max(self.heights())
        return self.seconds_until(lambda: min(self.heights()) > highest, within)

    def assert_final(self, payments: Payments) -> None:
        """Check that all nodes agree, and that everything that payers were told is final is in the chain."""
        self.seconds_until(lambda: len(set(self.heights())) == 1, PATIENCE_SECONDS)
        self.witness.look_at_payments(paid.receipt for paid in payments.paid)

    def mend(self) -> None:
        """Give back what tests take away: wires, clocks, room, nodes."""
        self.mend_wires()
        self.disk.make_room()
        self.devnet.mend()
        self.devnet.wait_ready()

    def mend_wires(self) -> None:
        """Make the network perfect again."""
        self.switch.heal()
        self.switch.set_all_lines(PERFECT)


@contextmanager
def living_apart(folder: Path) -> Iterator[Graph]:
    """Run seven validators on hosts of their own; at the end look at all that they leave behind."""
    with lan(NAMES) as net, mounted(folder / CRAMPED, 96) as disk:
        places = prepare(folder, ROLES, hosts=[net.hosts[name].address for name in NAMES])
        devnet = NetDevnet(places, net.hosts)
        cramped = devnet.place(CRAMPED)
        log_of(cramped).symlink_to(folder / "log")
        graph = Graph(devnet, net.switch, disk)
        try:
            devnet.start_all()
            devnet.wait_ready()
            yield graph
        finally:
            devnet.stop()
            for place in devnet.places:
                words = log_of(place).read_text(errors="replace")
                print(f"--- {place.role.name}\n{words[-LOG_SHOWN:]}")  # noqa: T201 (pytest shows it if a test fails)
        graph.witness.look_at_all()
        _assert_nobody_lied(places)


def _assert_nobody_lied(places: Sequence[Place]) -> None:
    """Check what nodes that have stopped leave behind: no vote against another, no credit too many."""
    for place in places:
        state = final_state(place)
        assert credits_created_or_lost(state) == 0
        assert not any(state.account(other.identity.key).is_banned for other in places)
        signed = votes_signed(place)
        assert len(signed) == len(set(signed))


def _faked(error_seconds: int) -> list[str]:
    """Return what sets a program's wall clock wrong, and leaves alone by which it measures how long it waits."""
    library = next(Path("/usr/lib").glob(_PRELOADED))
    return [
        *("env", f"LD_PRELOAD={library}", f"FAKETIME={error_seconds:+d}s"),
        "FAKETIME_DONT_FAKE_MONOTONIC=1",
    ]
