"""Where this node's runs take place: its sandbox, its images, and what is known of both."""

from dataclasses import replace
from typing import Final

from lc_node.adapters.chosen_sandbox import ChosenSandbox
from lc_node.adapters.gpu_sandbox import GpuSandbox
from lc_node.adapters.local_executor import LocalExecutor
from lc_node.adapters.nvidia_gpus import find_gpus
from lc_node.adapters.oci_image import OciImageStore
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount, PublicKey
from lc_node.ports.executor import Executor
from lc_node.ports.images import ImageStore
from lc_node.ports.sandbox import Capabilities
from lc_node.ports.stores import BlobStore
from lc_node.ports.surroundings import Surroundings
from lc_node.runtime.config import LOCAL, Config
from lc_node.runtime.home import Home
from lc_node.runtime.measured_sandbox import MeasuredSandbox
from lc_node.worker.policy import Circumstances

_IMAGES_SHARE: Final = 2
"""Unpacked images take about twice what their blobs do."""


class DaskMissing(LearningChainError):
    """The library is not installed."""

    def __init__(self) -> None:
        """Say how to install it."""
        super().__init__(
            "an executor of dask:// needs Dask: pip install 'learningchain[node,dask]', here and on every worker"
        )


class Workplace:
    """The sandbox and the images that its runs are of, here or on a cluster."""

    def __init__(self, home: Home, config: Config, blobs: BlobStore, *, node: PublicKey) -> None:
        """Build both; nothing is started or looked at yet.

        Raises:
            DaskMissing: a cluster is wanted, and the library for it is not installed.
        """
        images = OciImageStore(
            home.images_path,
            blobs,
            cache_bytes_max=ByteCount(_IMAGES_SHARE * config.storage.blobs_bytes_max),
        )
        if config.work.executor == LOCAL:
            owner = node.hex()[:16]
            chosen = ChosenSandbox(config.sandbox.wishes, owner, disks=home.outputs_path)
            sandbox = GpuSandbox(chosen, find_gpus, wanted=config.work.gpu_ids)
            self._executor: Executor = LocalExecutor(sandbox, images)
        else:
            self._executor = _dask(config, images, blobs)
        self.sandbox: Final = MeasuredSandbox(self._executor.sandbox)
        self.images: Final[ImageStore] = self._executor.images
        self._problem = ""

    def capabilities(self) -> Capabilities | None:
        """Return what the sandbox enforces, None if none works."""
        return self._executor.capabilities()

    def problem(self) -> str:
        """Say why nothing can be run now, and the remedy; empty if something can."""
        return self._problem or self._executor.problem()

    def seen_from(self, surroundings: Surroundings) -> Surroundings:
        """Return the surroundings with what the place adds to them."""
        return _SeenFrom(self._executor, surroundings)

    async def start(self, *, is_needed: bool) -> None:
        """Learn what the sandbox enforces, after removing what an earlier life of this node left in it.

        Raises:
            LearningChainError: nothing can be isolated or reached, and it is needed; else the node does without.
        """
        try:
            await self._executor.start()
        except LearningChainError as error:
            if is_needed:
                raise
            self._problem = str(error)

    async def run(self) -> None:
        """Keep up with the place until cancelled, then leave it."""
        try:
            await self._executor.keep_up()
        finally:
            await self._executor.close()


class _SeenFrom:
    """Implements ``ports.surroundings.Surroundings``."""

    def __init__(self, executor: Executor, surroundings: Surroundings) -> None:
        self._executor = executor
        self._surroundings = surroundings

    def look(self) -> Circumstances:
        """Return how the machine fares, and the place."""
        return replace(
            self._surroundings.look(),
            has_place=not self._executor.problem(),
            most=self._executor.most(),
        )


def _dask(config: Config, images: ImageStore, blobs: BlobStore) -> Executor:
    try:
        # Only who wants a cluster needs the library: it takes half a second to import.
        from lc_node.adapters.dask_executor import DaskExecutor, DaskPlace  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DaskMissing from error
    dask = config.dask
    place = DaskPlace(
        address=config.work.executor,
        cache=dask.cache,
        cache_bytes_max=dask.cache_bytes_max,
        sandbox=config.sandbox.wishes,
        tls_ca_file=dask.tls_ca_file,
        tls_cert=dask.tls_cert,
        tls_key=dask.tls_key,
    )
    return DaskExecutor(place, images, blobs)
