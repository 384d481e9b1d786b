"""Seven nodes on hosts of their own, and several misfortunes at once, drawn from a seed."""

import os
import random
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

import pytest

from tests.net.graphs import NAMES, PATIENCE_SECONDS, Graph, soon_seconds
from tests.net.lan import what_is_missing
from tests.net.lines import Line
from tests.net.payments import Payments

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing()),
]

STORM_SECONDS: Final = 300.0
AT_ONCE_MAX: Final = 3
LASTS_SECONDS_MAX: Final = 20.0
SKEW_SECONDS_MAX: Final = 15
SEED_VARIABLE: Final = "LC_STORM_SEED"


class Storm:
    """Misfortunes that may come together; ``Graph.mend`` ends all of them."""

    def __init__(self, graph: Graph, seed: int) -> None:
        self._graph = graph
        self._random = random.Random(seed)  # noqa: S311 (repeats a test, guards nothing)
        self._all: Sequence[Callable[[], str]] = (
            self._part,
            self._cut,
            self._slow_down,
            self._kill,
            self._set_clock,
        )

    def strike(self) -> list[str]:
        """Let some misfortunes happen and last a while; return what they were."""
        chosen = self._random.sample(self._all, self._random.randint(1, AT_ONCE_MAX))
        happened = [misfortune() for misfortune in chosen]
        time.sleep(self._random.uniform(0, LASTS_SECONDS_MAX))
        return happened

    def _some(self) -> list[str]:
        return self._random.sample(NAMES, self._random.randint(1, len(NAMES) - 1))

    def _part(self) -> str:
        side = self._some()
        self._graph.switch.part(side)
        return f"part {side}"

    def _cut(self) -> str:
        deaf, mute = self._some(), self._some()
        self._graph.switch.cut(mute, deaf)
        return f"cut {mute} to {deaf}"

    def _slow_down(self) -> str:
        loss = self._random.uniform(0, 0.3)
        delay, jitter = self._random.uniform(0, 0.3), self._random.uniform(0, 0.1)
        line = Line(loss=loss, delay_seconds=delay, jitter_seconds=jitter)
        self._graph.switch.set_all_lines(line)
        return str(line)

    def _kill(self) -> str:
        victims = self._some()
        for name in victims:
            if self._graph.devnet.lives(name):
                self._graph.devnet.kill(name)
        return f"kill {victims}"

    def _set_clock(self) -> str:
        name = self._random.choice(NAMES)
        error = self._random.choice((-1, 1)) * self._random.randint(1, SKEW_SECONDS_MAX)
        self._graph.devnet.restart(name, clock_error=error)
        return f"clock of {name} {error:+d} s"


def test_nothing_is_lost_in_five_minutes_of_storm(graph: Graph) -> None:
    seed = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(10**6))
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 (whoever repeats a failure needs it)
    storm, payments = Storm(graph, seed), Payments(graph.devnet, (NAMES[0], NAMES[6]))
    until = time.monotonic() + STORM_SECONDS
    with payments.running():
        graph.seconds_until(lambda: len(payments.paid) >= 10, PATIENCE_SECONDS)
        usual = payments.usual_seconds()
        while time.monotonic() < until:
            happened = storm.strike()
            graph.mend_wires()
            if not graph.devnet.is_whole():
                graph.mend()
            soon = graph.seconds_until_all_go_on(soon_seconds(usual))
            print(f"{happened}: goes on after {soon:.2f} s")  # noqa: T201 (the figures)
    graph.assert_final(payments)
