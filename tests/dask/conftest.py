"""One cluster for all tests of executors: two workers, of which one cannot read the node's files."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.dask_cluster import DaskCluster
from lc_node.adapters.dask_executor import DaskExecutor, DaskPlace
from lc_node.adapters.local_executor import LocalExecutor
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.sandbox import SandboxWishes
from tests.adapters.test_oci_image import Shelf
from tests.dask.lab import FAR_RESOURCES, Cluster, cluster
from tests.dask.places import Place, pack_python

WORKERS = 2
UNTIL_SECONDS_MAX = 300
"""Many processes start at once on a machine that others keep busy; most of it is imports."""


@pytest.fixture(scope="session")
def shelf() -> Iterator[Shelf]:
    """A node's blobs and images."""
    with tempfile.TemporaryDirectory(prefix="lc-dask-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        blobs = DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(1 << 30))
        yield Shelf(blobs, folder / "images")


@pytest.fixture(scope="session")
def manifest(shelf: Shelf) -> Digest:
    """An image of an interpreter."""
    return pack_python(shelf, shelf.folder.parent / "rootfs")


@pytest.fixture(scope="session")
def lab(shelf: Shelf) -> Iterator[Cluster]:
    """The cluster."""
    with (
        tempfile.TemporaryDirectory(prefix="lc-dask-lab-") as name,
        cluster(Path(name)) as running,
    ):
        Path(name).chmod(0o755)
        running.start_worker("near")
        running.start_worker("far", FAR_RESOURCES, wrapper=without(shelf.folder.parent))
        yield running


@pytest.fixture
async def dask(lab: Cluster, shelf: Shelf, manifest: Digest) -> AsyncIterator[Place]:
    """The cluster as a node sees it, once all workers can be used."""
    async with place_on(lab, shelf, manifest) as place:
        yield place


@pytest.fixture(params=["local", "dask"])
async def place(
    request: pytest.FixtureRequest, manifest: Digest, shelf: Shelf
) -> AsyncIterator[Place]:
    """An executor that is ready: this machine, or the cluster."""
    if request.param == "dask":
        async with place_on(request.getfixturevalue("lab"), shelf, manifest) as place:
            yield place
        return
    sandbox = BubblewrapSandbox(f"tests-executor-{os.getpid()}", probe_seconds_max=60)
    executor = LocalExecutor(sandbox, shelf.store())
    await executor.start()
    yield Place(executor, await executor.images.prepare(manifest))


@asynccontextmanager
async def place_on(lab: Cluster, shelf: Shelf, manifest: Digest) -> AsyncIterator[Place]:
    """Use a cluster, once all its workers can be used."""
    executor = executor_on(lab, shelf)
    async with connected(executor, WORKERS):
        yield Place(executor, await executor.images.prepare(manifest))


def executor_on(
    lab: Cluster,
    shelf: Shelf,
    *,
    lease_seconds: float = 20.0,
    sandbox: SandboxWishes = SandboxWishes(),  # noqa: B008  # it cannot be changed
) -> DaskExecutor:
    """Return a node's view of a cluster, not yet connected."""
    where = DaskPlace(address=lab.address, cache="", cache_bytes_max=1 << 30, sandbox=sandbox)
    return DaskExecutor(where, shelf.store(), shelf.blobs, lease_seconds=lease_seconds)


@asynccontextmanager
async def connected(executor: DaskExecutor, workers: int) -> AsyncIterator[DaskCluster]:
    """Keep an executor connected while the body runs, which begins when so many workers can be used.

    A machine that does much else may find its sandbox too slow at first; it is looked at again.
    """
    cluster_seen = executor._cluster
    await cluster_seen.connect()
    keeping = asyncio.get_running_loop().create_task(executor.keep_up())
    try:
        await until(lambda: len(cluster_seen.usable) >= workers)
        yield cluster_seen
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])
        await executor.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Return when something is so."""
    async with asyncio.timeout(UNTIL_SECONDS_MAX):
        while not is_so():  # noqa: ASYNC110  # the condition is anything, nobody signals it
            await asyncio.sleep(0.05)


def without(hidden: Path) -> list[str]:
    """Return a command under which a folder is empty, as on a machine that has no such folder."""
    if os.geteuid() != 0:
        pytest.skip("mounts need root")
    script = f'mount -t tmpfs none {hidden} && exec "$@"'
    return ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh"]
