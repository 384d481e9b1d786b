"""sim.speed: how much faster than life a network of 100 nodes is simulated, under all faults with 30 liars."""

import time
from typing import Final

from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from lc_node.sim.faults import ALL_FAULTS
from lc_node.sim.scenario import Scenario
from lc_node.sim.world import World

SPEED: Final = Target(name="sim.speed", unit="node-s/s", limit=500, at_least=True)

LIFE: Final = 1.0
"""A node that runs for real lives a second in a second: the target is against that."""

SEEDS: Final = range(1, 1 + PAIRS_MIN)
_SCENARIO: Final = Scenario.of(nodes=100, byzantine=0.3, faults=ALL_FAULTS)


def run() -> list[Measured]:
    """Measure."""
    return [from_samples(SPEED, [_speed(seed) for seed in SEEDS], [LIFE] * len(SEEDS))]


def _speed(seed: int) -> float:
    """Return the simulated seconds, of all nodes together, in a second of one processor."""
    began = time.process_time()
    simulated_ms = World(seed, _SCENARIO).run().simulated_ms
    return simulated_ms / 1_000 / (time.process_time() - began)
