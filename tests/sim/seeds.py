"""Seeds that nobody has tried before."""

import hashlib
import os
import re
from collections.abc import Iterable
from typing import Final

FIXED_BELOW: Final = 10_000
"""Fresh seeds are drawn from far more."""

_TOLD: Final = re.compile(r"^\d+ seeds \(([\d, ]+)\)", re.MULTILINE)
"""How a report begins that a test prints."""

_RUN: Final = os.environ.get("PYTEST_XDIST_TESTRUNUID") or os.urandom(16).hex()
"""What this run of the tests is called; processes that share its tests must name them alike."""


def fresh(count: int) -> range:
    """Return some seeds in a row, other ones in each run of the tests; reports name them."""
    first = int.from_bytes(hashlib.sha256(_RUN.encode()).digest()[:4], "big")
    return range(first, first + count)


def fresh_in(printed: Iterable[str]) -> list[int]:
    """Return the fresh seeds of the reports in what tests have printed."""
    told = " ".join(found for text in printed for found in _TOLD.findall(text))
    seeds = sorted({int(seed) for seed in re.findall(r"\d+", told)})
    return [seed for seed in seeds if seed >= FIXED_BELOW]
