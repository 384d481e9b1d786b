"""Counts how often something took how long."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import inf
from typing import Final

from lc_node.ports.metrics import Spread

SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Bounds for what takes from a millisecond to half a minute."""


class Histogram:
    """Observations by size; takes as much memory however many there are."""

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        """Count between these rising bounds, and above the last one."""
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def spread(self) -> Spread:
        """Return the counts as they stand."""
        bounds = (*self._bounds, inf)
        return Spread(
            buckets=tuple(zip(bounds, accumulate(self._counts), strict=True)), total=self._total
        )
