"""A node without a chain, as a program to be killed: it starts a run on a cluster and waits."""

import asyncio
import os
import sys
from pathlib import Path

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.dask_executor import DaskExecutor, DaskPlace
from lc_node.chain.types import ByteCount, Digest
from tests.adapters.test_oci_image import Shelf
from tests.dask.places import Place

LEASE_SECONDS = 2.0
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"


async def main(address: str, folder: Path, manifest: Digest, marker: str) -> None:
    """Run until killed."""
    blobs = DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(1 << 30))
    shelf = Shelf(blobs, folder / f"images-{os.getpid()}")
    where = DaskPlace(address=address, cache="", cache_bytes_max=1 << 30)
    executor = DaskExecutor(where, shelf.store(), blobs, lease_seconds=LEASE_SECONDS)
    await executor.start()
    place = Place(executor, await executor.images.prepare(manifest))
    async with place.start(SLEEPER, marker, wall=600_000) as run:
        print((await run.read_line() or b"").decode(), flush=True)  # noqa: T201 - its answer
        await run.wait()


if __name__ == "__main__":
    asyncio.run(
        main(sys.argv[1], Path(sys.argv[2]), Digest(bytes.fromhex(sys.argv[3])), sys.argv[4])
    )
