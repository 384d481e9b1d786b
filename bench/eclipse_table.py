"""Prints the table of docs/THREATS.md: how often a victim is eclipsed, by the attacker's networks.

Run it as ``python -m bench.eclipse_table SEEDS``.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from lc_node.sim.eclipse import Outcome, Siege, besiege

SIEGES = [
    Siege(attackers_networks=networks, known=known, has_anchors=has_anchors)
    for networks, known, has_anchors in (
        (8, 50, False),
        (16, 50, False),
        (32, 50, False),
        (32, 150, False),
        (32, 50, True),
    )
]


def outcomes(siege: Siege, seeds: int) -> list[Outcome]:
    """Return what became of so many victims."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(partial(besiege, siege), range(1, seeds + 1)))


def rows(seeds: int) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| networks | known before | anchors | of 8 peers the attacker's | eclipsed |"
    yield "|---|---|---|---|---|"
    for siege in SIEGES:
        found = outcomes(siege, seeds)
        captured = sum(one.captured for one in found) / len(found)
        anchors = "4" if siege.has_anchors else "none"
        eclipsed = sum(one.is_eclipsed for one in found)
        yield (
            f"| {siege.attackers_networks} | {siege.known} | {anchors} "
            f"| {captured:.1f} | {eclipsed} of {len(found)} |"
        )


if __name__ == "__main__":
    for row in rows(int(sys.argv[1])):
        print(row, flush=True)
