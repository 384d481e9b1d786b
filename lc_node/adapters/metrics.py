"""The page that Prometheus reads: values are gathered when it asks, and only then."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from math import inf
from threading import Thread
from typing import Any, Final, Self
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from lc_node.chain.errors import LearningChainError
from lc_node.ports.metrics import Family, Kind, Spread

ADDRESS: Final = re.compile(
    r"(?:\[(?P<six>[0-9a-fA-F:]+)\]|(?P<host>[^\[\]:]+)):(?P<port>\d{1,5})"
)
"""What one may listen on: ``127.0.0.1:9464``, ``[::1]:9464``, ``localhost:9464``."""

GATHER_SECONDS_MAX: Final = 5.0
"""A node that is so busy for so long answers the scrape with an error, which is a sign, too."""

Gather = Callable[[], Awaitable[Sequence[Family]]]


class CannotServeMetrics(LearningChainError):
    """The address for the metrics is in use, or is not this machine's."""

    def __init__(self, address: str, why: str) -> None:
        """Name the address."""
        super().__init__(
            f"cannot serve metrics on {address} ({why}); is another node running there? "
            "Set another `listen` in config.toml, [metrics], or remove it"
        )
        self.address = address


class MetricsServer:
    """Listens from the moment it is made; answers with what ``gather`` returns in the node's own loop."""

    def __init__(self, address: str, server: WSGIServer, thread: Thread) -> None:
        """Take over a server that runs; see ``open``."""
        self.address = address
        self._server = server
        self._thread = thread

    @classmethod
    def open(cls, address: str, gather: Gather) -> Self:
        """Listen on ``address``; needs the running event loop in which values may be read.

        Raises:
            CannotServeMetrics: it is taken, or not ours.
        """
        found = ADDRESS.fullmatch(address)
        if found is None:
            raise CannotServeMetrics(address, "no address such as 127.0.0.1:9464")
        host, port = found["six"] or found["host"], int(found["port"])
        registry = CollectorRegistry()
        registry.register(_Gathered(gather, asyncio.get_running_loop()))
        ProcessCollector(registry=registry)
        try:
            server, thread = start_http_server(port, host, registry)
        except (OSError, OverflowError) as error:
            raise CannotServeMetrics(address, str(error)) from error
        return cls(f"{host}:{server.server_port}", server, thread)

    def close(self) -> None:
        """Stop answering; takes up to half a second."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Gathered(Collector):
    """Reads the node's values in its event loop, so that none changes while it is read."""

    def __init__(self, gather: Gather, loop: asyncio.AbstractEventLoop) -> None:
        self._gather = gather
        self._loop = loop

    def describe(self) -> Iterable[Metric]:
        """Return nothing: what there is, is known when it is asked for."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Return everything as it is now."""
        families = asyncio.run_coroutine_threadsafe(self._now(), self._loop)
        return [_family(one) for one in families.result(GATHER_SECONDS_MAX)]

    async def _now(self) -> Sequence[Family]:
        return await self._gather()


_FAMILIES: Final[dict[Kind, Any]] = {
    Kind.GAUGE: GaugeMetricFamily,
    Kind.COUNTER: CounterMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


def _family(family: Family) -> Metric:
    made = _FAMILIES[family.kind](family.name, family.meaning, labels=family.labels)
    for labels, value in family.samples:
        if isinstance(value, Spread):
            buckets = [(_bound(bound), count) for bound, count in value.buckets]
            made.add_metric(labels, buckets=buckets, sum_value=value.total)
        else:
            made.add_metric(labels, value)
    metric: Metric = made
    return metric


def _bound(value: float) -> str:
    return "+Inf" if value == inf else repr(float(value))
