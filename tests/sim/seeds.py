"""Seeds that nobody has tried before."""

import os


def fresh(count: int) -> range:
    """Return some seeds in a row, other ones in each run of the tests; reports name them."""
    first = int.from_bytes(os.urandom(4), "big")
    return range(first, first + count)
