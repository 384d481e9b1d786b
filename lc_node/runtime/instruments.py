"""A node's instruments: every metric, read when somebody asks, on a page for Prometheus."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Final

from lc_node.adapters.metrics import MetricsServer
from lc_node.ports.metrics import Family
from lc_node.runtime.histogram import Histogram
from lc_node.runtime.metrics import Metric, Observed
from lc_node.runtime.metrics_chain import CHAIN
from lc_node.runtime.metrics_network import NETWORK
from lc_node.runtime.metrics_work import WORK

_log = logging.getLogger(__name__)

METRICS: Final[tuple[Metric, ...]] = (*CHAIN, *NETWORK, *WORK)
"""All there are; the page adds those of the process (``process_...``)."""

_NAP_SECONDS: Final = 1.0


async def serve_metrics(address: str, node: Observed) -> None:
    """Answer Prometheus on an address until cancelled; nothing at all without one.

    Raises:
        CannotServeMetrics: the address is taken, or not ours.
    """
    if not address:
        return
    with closing(MetricsServer.open(address, lambda: gather(node))) as server:
        _log.info("metrics on http://%s/metrics", server.address)
        await watch_loop(node.loop_lag)


async def gather(node: Observed) -> Sequence[Family]:
    """Return all values as they are now; between two of them nothing else happens in the node."""
    return [metric.measured(node) for metric in METRICS]


async def watch_loop(lag: Histogram) -> None:
    """Measure, until cancelled, how late this loop comes to what it has to do."""
    while True:
        due = time.monotonic() + _NAP_SECONDS
        await asyncio.sleep(_NAP_SECONDS)
        lag.observe(max(0.0, time.monotonic() - due))
