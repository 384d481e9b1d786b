"""Runs on a Dask cluster: trainings and evaluations, each in the sandbox of the worker that it is on."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from distributed.security import Security

from lc_node.adapters.dask_cluster import LEASE_SECONDS, DaskCluster
from lc_node.adapters.dask_images import DaskImages
from lc_node.adapters.dask_member import CPU, GPU, MEMORY
from lc_node.adapters.dask_sandbox import DaskSandbox
from lc_node.adapters.dask_worker import Settings
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount
from lc_node.ports.images import ImageStore
from lc_node.ports.sandbox import Capabilities, SandboxUnavailable, SandboxWishes
from lc_node.ports.stores import BlobStore

DISK_MAX: Final = ByteCount(2**62)
"""Dask knows no disk; a worker's sandbox takes what it is told to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DaskPlace:
    """Which cluster, and how it is to be used."""

    address: str
    """``dask://HOST:PORT``."""
    cache: str
    """Where workers keep images; empty: in their own folders."""
    cache_bytes_max: int
    sandbox: SandboxWishes = SandboxWishes()  # noqa: RUF009 - it cannot be changed
    """Which sandbox on each worker."""
    tls_ca_file: str = ""
    tls_cert: str = ""
    tls_key: str = ""


class DaskExecutor:
    """Implements ``ports.executor.Executor``."""

    def __init__(
        self,
        place: DaskPlace,
        here: ImageStore,
        blobs: BlobStore,
        *,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        """Prepare to use a cluster for images whose blobs are in ``blobs``; manifests are read by ``here``."""
        settings = Settings(
            cache=place.cache, cache_bytes_max=place.cache_bytes_max, sandbox=place.sandbox
        )
        self._cluster = DaskCluster(
            _address(place), _security(place), settings, lease_seconds=lease_seconds
        )
        images = DaskImages(self._cluster, here, blobs)
        self.images: Final[ImageStore] = images
        self.sandbox: Final = DaskSandbox(self._cluster, images)

    async def start(self) -> None:
        """Connect, and look at the workers.

        Raises:
            ClusterUnreachable: no scheduler answers.
            SandboxUnavailable: there are workers, and none of them can be used; the message names the remedy.
        """
        await self._cluster.connect()
        if self._cluster.members and self._cluster.problem:
            problem = self._cluster.problem
            await self.close()
            raise SandboxUnavailable(problem)

    def capabilities(self) -> Capabilities | None:
        """Return what all usable workers enforce, None if there are none."""
        return self.sandbox.look()

    def problem(self) -> str:
        """Say why nothing can be run now; empty if something can."""
        return self._cluster.problem

    def most(self) -> Resources | None:
        """Return the most that a worker declares of each resource."""
        members = [self._cluster.members[name] for name in self._cluster.usable]
        if not members:
            return None
        gpus = [min(int(one.resources.get(GPU, 0)), one.greeting.gpus) for one in members]
        return Resources(
            millicpus=max(1, int(1000 * max(one.resources[CPU] for one in members))),
            memory_bytes=ByteCount(int(max(one.resources[MEMORY] for one in members))),
            disk_bytes=DISK_MAX,
            gpus=max(gpus),
        )

    async def keep_up(self) -> None:
        """See who comes and goes, and connect again whenever the scheduler was lost; until cancelled."""
        await self._cluster.keep_up()

    async def close(self) -> None:
        """Leave the cluster."""
        await self._cluster.close()


def _address(place: DaskPlace) -> str:
    """Return the address as Dask writes it."""
    where = urlsplit(place.address).netloc
    return f"{'tls' if place.tls_ca_file else 'tcp'}://{where}"


def _security(place: DaskPlace) -> Security:
    """Return how to speak to the cluster; without files, Dask's own configuration decides."""
    if not place.tls_ca_file:
        return Security()
    return Security(
        require_encryption=True,
        tls_ca_file=place.tls_ca_file,
        tls_client_cert=place.tls_cert,
        tls_client_key=place.tls_key,
    )
