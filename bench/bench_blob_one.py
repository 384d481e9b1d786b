"""blob.one: 256 MiB from node to node, encrypted, verified, written; against bare TCP, and two that others use."""

from typing import Final

from bench.blob_others import ways
from bench.blob_seats import BLOB_BYTES
from bench.harness import PAIRS_MIN, Measured, Target, from_samples

ONE: Final = Target(name="blob.one", unit="MB/s", limit=0.7, at_least=True)
CPU: Final = Target(name="blob.one.cpu", unit="MB/CPU-s", limit=0.4, at_least=True)
TORRENT: Final = Target(name="blob.one.torrent", unit="MB/s", limit=2.5, at_least=True)
REGISTRY: Final = Target(name="blob.one.registry", unit="MB/s", limit=5, at_least=True)


def run() -> list[Measured]:
    """Measure."""
    with ways() as found:
        rounds = [{way.name: way.move() for way in found} for _ in range(PAIRS_MIN)]

    def rates(name: str) -> list[float]:
        return [BLOB_BYTES / 1e6 / one[name].seconds for one in rounds]

    def thrift(name: str) -> list[float]:
        return [BLOB_BYTES / 1e6 / one[name].cpu_seconds for one in rounds]

    return [
        from_samples(ONE, rates("own"), rates("tcp")),
        from_samples(CPU, thrift("own"), thrift("tcp")),
        from_samples(TORRENT, rates("own"), rates("torrent")),
        from_samples(REGISTRY, rates("own"), rates("pull")),
    ]
