"""gossip.growth: frames that a node sends for each transaction among a thousand nodes, against ten."""

from dataclasses import replace
from statistics import median
from typing import Final

from bench.harness import PAIRS_MIN, Measured, Series, Target, from_samples
from lc_node.sim.gossip import GossipScenario, run_gossip

GROWTH: Final = Target(
    name="gossip.growth",
    unit="frames a node a transaction",
    limit=1.5,
    at_least=False,
)
FEW: Final = 10
MANY: Final = 1_000
SEEDS: Final = range(1, 1 + PAIRS_MIN)
TRANSACTIONS: Final = 5

_SIZES: Final = (FEW, 30, 100, 300, MANY)


def run() -> list[Measured]:
    """Measure; the same seeds give the same figures on every machine."""
    mesh = [[_frames(nodes, seed, is_flood=False) for seed in SEEDS] for nodes in _SIZES]
    flood = [_frames(nodes, SEEDS[0], is_flood=True) for nodes in _SIZES]
    series = (
        Series(name="mesh", x=_SIZES, y=tuple(map(median, mesh))),
        Series(name="flooding", x=_SIZES, y=tuple(flood)),
    )
    return [replace(from_samples(GROWTH, mesh[-1], mesh[0]), series=series)]


def _frames(nodes: int, seed: int, *, is_flood: bool) -> float:
    scenario = GossipScenario(nodes=nodes, transactions=TRANSACTIONS, is_flood=is_flood)
    run = run_gossip(scenario, seed)
    assert run.unreached == 0, f"seed {seed}: a figure counts only if every node is reached"
    return run.frames_per_transaction
