"""Twins (arXiv 2004.10617): two instances of one key, under every schedule of partitions."""

from itertools import product
from typing import Final

from lc_node.chain.types import MillisSpan
from lc_node.sim.campaign import simulate
from lc_node.sim.faults import Fault
from lc_node.sim.scenario import Scenario

INSTANCES: Final = 5
"""Three honest members, and a fourth one twice."""

SPLITS: Final = [(0, *rest) for rest in product((0, 1), repeat=INSTANCES - 1)]
"""Every way to part five instances in two groups, one of which may be empty."""

ROUNDS: Final = 2


def twins(schedule: tuple[tuple[int, ...], ...]) -> Scenario:
    return Scenario(
        honest=3,
        adversaries=("twin",),
        followers=0,
        faults=(Fault.PARTITIONS,),
        partitions=schedule,
        heals_at=MillisSpan(Scenario().slot_ms * len(schedule)),
        payment_every_ms=MillisSpan(200),
        goal=2,
    )


def test_no_schedule_of_partitions_lets_twins_split_the_network() -> None:
    schedules = list(product(SPLITS, repeat=ROUNDS))

    failing = [s for s in schedules if simulate([1], twins(s)).failing_seeds]

    assert len(schedules) == len(SPLITS) ** ROUNDS
    assert failing == []


def test_twins_are_convicted() -> None:
    apart = ((0, 0, 1, 0, 1), (0, 1, 0, 0, 1))

    report = simulate(range(8), twins(apart * 4))

    assert not report.failing_seeds
    assert report.evidence > 0
