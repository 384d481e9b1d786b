"""Seven nodes on hosts of their own: some are killed, one's disk is full, one's clock is wrong."""

import os
import random
import secrets
import time
from collections.abc import Sequence
from typing import Final

import pytest

from lc_node.cli.exits import Exit
from lc_node.runtime.devnet import log_of
from tests.net.graphs import CRAMPED, NAMES, PATIENCE_SECONDS, Graph, soon_seconds
from tests.net.jobs import Jobs
from tests.net.lan import what_is_missing
from tests.net.payments import Payments

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
]

KILLED_AT_ONCE: Final = 2
"""With these dead, the others are a quorum and no more."""

DOWN_SECONDS_MAX: Final = 3.0
SEED_VARIABLE: Final = "LC_KILLS_SEED"
SKEWED: Final = "node-5"
OTHERS: Final = tuple(name for name in NAMES if name != CRAMPED)


class Killer:
    """Kills two nodes at random, and starts them again, for as long as it is told."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self._graph = graph
        self._random = random.Random(seed)  # noqa: S311 (repeats a test, guards nothing)
        self.kills = 0

    def kill_for(self, seconds: float) -> None:
        """Kill, again and again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self._kill(self._random.sample(NAMES, KILLED_AT_ONCE))

    def _kill(self, victims: Sequence[str]) -> None:
        for name in victims:
            self._graph.devnet.kill(name)
        time.sleep(self._random.uniform(0, DOWN_SECONDS_MAX))
        before = max(self._graph.heights())
        for name in victims:
            self._graph.devnet.start(name)
        self._graph.devnet.wait_ready(victims)
        self._graph.seconds_until(
            lambda: min(self._graph.heights(victims)) >= before, PATIENCE_SECONDS
        )
        self.kills += len(victims)


def test_nothing_is_lost_while_two_at_a_time_are_killed(graph: Graph) -> None:
    _survive_kills(graph, 25)


@pytest.mark.soak
def test_nothing_is_lost_in_five_minutes_of_kills(graph: Graph) -> None:
    """Under payments and jobs, one job after the other."""
    jobs = Jobs(graph.devnet, poster=NAMES[1], trainer=NAMES[5])
    with jobs.running():
        _survive_kills(graph, 300)
    _say(f"jobs: {', '.join(sorted(jobs.ends.values()))}")
    assert all(end.is_over for end in jobs.ends.values())


def test_nothing_is_lost_when_all_are_killed_at_once(graph: Graph) -> None:
    payments = Payments(graph.devnet, NAMES[:1])
    with payments.running():
        graph.seconds_until(lambda: len(payments.paid) >= 10, PATIENCE_SECONDS)
        for name in NAMES:
            graph.devnet.kill(name)
        for name in NAMES:
            graph.devnet.start(name)
        graph.devnet.wait_ready()
        soon = soon_seconds(payments.usual_seconds())
        _say(f"all killed at once: go on after {graph.seconds_until_all_go_on(soon):.2f} s")
    graph.assert_final(payments)


@pytest.mark.parametrize("error", [10, -10])
def test_a_clock_that_is_ten_seconds_off_holds_nobody_up(graph: Graph, error: int) -> None:
    payments = Payments(graph.devnet, NAMES[:1])
    with payments.running():
        graph.devnet.restart(SKEWED, clock_error=error)
        graph.devnet.wait_ready()
        status = graph.status(SKEWED)
        assert abs(status.clock - time.time_ns() // 1_000_000 - 1000 * error) < 5_000
        goal = max(graph.heights()) + 2 * len(NAMES)
        seconds = graph.seconds_until(lambda: min(graph.heights()) >= goal, PATIENCE_SECONDS)
        _say(f"clock {error:+d} s: {2 * len(NAMES)} blocks everywhere in {seconds:.1f} s")
        way = "ahead of" if error > 0 else "behind"
        graph.seconds_until(lambda: way in _said_of_clock(graph, SKEWED), PATIENCE_SECONDS)
        assert _said_of_clock(graph, NAMES[1]) == ""
    graph.assert_final(payments)


def test_a_full_disk_stops_one_node_alone_and_it_comes_back_with_room(graph: Graph) -> None:
    payments = Payments(graph.devnet, NAMES[:1])
    with payments.running():
        graph.disk.fill()
        graph.seconds_until(lambda: not graph.devnet.lives(CRAMPED), PATIENCE_SECONDS)
        assert graph.devnet.exit_code(CRAMPED) == Exit.REFUSED
        assert "No space left to write" in log_of(graph.devnet.place(CRAMPED)).read_text()
        goal = max(graph.heights(OTHERS)) + 5
        graph.seconds_until(lambda: min(graph.heights(OTHERS)) >= goal, PATIENCE_SECONDS)

        graph.disk.make_room()
        graph.devnet.restart(CRAMPED)
        graph.devnet.wait_ready()
        soon = soon_seconds(payments.usual_seconds())
        _say(f"room again: goes on after {graph.seconds_until_all_go_on(soon):.2f} s")
    graph.assert_final(payments)


def _said_of_clock(graph: Graph, name: str) -> str:
    """Return what a node says of its own clock; nothing if that is right."""
    findings = graph.status(name).findings
    return "".join(one.text for one in findings if one.code == "clock_off")


def _survive_kills(graph: Graph, seconds: float) -> None:
    seed = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(10**6))
    killer, payments = Killer(graph, seed), Payments(graph.devnet, (NAMES[0], NAMES[6]))
    _say(f"{SEED_VARIABLE}={seed}")
    with payments.running():
        killer.kill_for(seconds)
        graph.devnet.wait_ready()
        soon = graph.seconds_until_all_go_on(soon_seconds(payments.usual_seconds()))
    _say(f"{killer.kills} kills, {len(payments.paid)} payments; goes on after {soon:.2f} s")
    graph.assert_final(payments)


def _say(text: str) -> None:
    print(text)  # noqa: T201 (the figures of docs/TESTING.md)
