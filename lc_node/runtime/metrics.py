"""What can be measured of a node: a metric is a name, its meaning, and how its values are read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.zmq_transport import ZmqTransport
from lc_node.api.server import ApiServer
from lc_node.ports.metrics import Family, Kind, Value
from lc_node.runtime.accusing import Accusing
from lc_node.runtime.agreement import Agreement
from lc_node.runtime.discovery import Discovery
from lc_node.runtime.histogram import Histogram
from lc_node.runtime.job_service import JobService
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.measured_sandbox import MeasuredSandbox
from lc_node.runtime.network import Network
from lc_node.runtime.sender import Sender
from lc_node.runtime.vitals import Vitals


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """The parts of a node that are looked at."""

    ledger: Ledger
    agreement: Agreement
    sender: Sender
    network: Network
    transport: ZmqTransport
    discovery: Discovery
    jobs: JobService
    sandbox: MeasuredSandbox
    blobs: DirectoryBlobStore
    vitals: Vitals
    accusing: Accusing
    server: Callable[[], ApiServer | None]
    loop_lag: Histogram = field(default_factory=Histogram)
    """Of ``runtime.instruments``, while it serves."""


Samples: TypeAlias = Iterable[tuple[tuple[str, ...], Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One name; docs/METRICS.md lists them all."""

    name: str
    """As Prometheus has it: with its unit, and ``_total`` if it only rises."""
    meaning: str
    read: Callable[[Observed], Samples]
    kind: Kind = Kind.GAUGE
    labels: tuple[str, ...] = ()

    def measured(self, node: Observed) -> Family:
        """Return its values now."""
        return Family(
            name=self.name,
            kind=self.kind,
            meaning=self.meaning,
            labels=self.labels,
            samples=tuple(self.read(node)),
        )


def plain(read: Callable[[Observed], Value]) -> Callable[[Observed], Samples]:
    """Return a reader of one value without labels."""
    return lambda node: (((), read(node)),)
