"""No-ops from a notebook's kernel, timed in it: a question to a node, and a call on an engine of ipyparallel."""

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lc_node.api.client import Client

CALLS: Final = 200
"""In each sample."""

_FIRST: Final = 20
"""What is loaded once is loaded by then."""


def node_ms(home: str) -> float:
    """Return the median milliseconds until a node has said who it is."""
    with Client(Path(home)) as client:
        return _median_ms(client.hello)


def engine_ms(connection_file: str) -> float:
    """Return the median milliseconds until an engine has done nothing."""
    parallel: Any = importlib.import_module("ipyparallel")  # of the benchmarks' own requirements
    with parallel.Client(connection_file) as client:
        view = client[0]
        return _median_ms(lambda: view.apply_sync(int))


def _median_ms(act: Callable[[], object]) -> float:
    for _ in range(_FIRST):
        act()
    seen = []
    for _ in range(CALLS):
        since = time.perf_counter()
        act()
        seen.append(time.perf_counter() - since)
    return 1000 * sorted(seen)[CALLS // 2]
