"""Seeds that nobody has tried before."""

import hashlib
import os
from typing import Final

_RUN: Final = os.environ.get("PYTEST_XDIST_TESTRUNUID") or os.urandom(16).hex()
"""What this run of the tests is called; processes that share its tests must name them alike."""


def fresh(count: int) -> range:
    """Return some seeds in a row, other ones in each run of the tests; reports name them."""
    first = int.from_bytes(hashlib.sha256(_RUN.encode()).digest()[:4], "big")
    return range(first, first + count)
