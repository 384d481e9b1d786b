"""Images for the workers of a Dask cluster: each worker is sent each blob once, and unpacks for itself."""

import asyncio
from collections import defaultdict
from pathlib import Path
from typing import Final

from lc_node.adapters.dask_cluster import DaskCluster
from lc_node.adapters.dask_messages import (
    PIECE_BYTES,
    Have,
    Missing,
    Offer,
    Piece,
    Unpack,
    Unpacked,
    decode_image,
)
from lc_node.chain.types import Digest
from lc_node.ports.images import BlobReference, ImageStore, PreparedImage
from lc_node.ports.sandbox import SandboxFailed, WorkerLost
from lc_node.ports.stores import BlobStore

WORKERS_TRIED_MAX: Final = 3


class DaskImages:
    """Implements ``ports.images.ImageStore``: what it prepares is ready on workers, not here."""

    def __init__(self, cluster: DaskCluster, here: ImageStore, blobs: BlobStore) -> None:
        """Send the blobs of ``blobs``; manifests are read by ``here``."""
        self._cluster = cluster
        self._here = here
        self._blobs = blobs
        self._sending: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def blobs_of(self, manifest: Digest) -> tuple[BlobReference, ...]:
        """Return config and layers of a manifest that the blob store holds.

        Raises:
            ImageRefused: the manifest is missing, malformed or breaks a limit.
        """
        return self._here.blobs_of(manifest)

    async def prepare(self, manifest: Digest) -> PreparedImage:
        """Have one worker unpack it, so that a malformed one is known before it is wanted; others follow as they run it.

        Raises:
            ImageRefused: a layer is malformed, hostile, or over a limit.
            SandboxFailed: no worker can be used now.
        """
        for worker in self._cluster.usable[:WORKERS_TRIED_MAX]:
            try:
                return await self.bring(worker, manifest)
            except WorkerLost:
                continue
        raise SandboxFailed(
            self._cluster.problem or "no worker could take the image; trying again"
        )

    async def forget(self, manifest: Digest) -> None:
        """Remove what was unpacked of an image here, if anything was; workers make room for themselves."""
        await self._here.forget(manifest)

    async def bring(
        self, worker: str, manifest: Digest, lost: asyncio.Event | None = None
    ) -> PreparedImage:
        """Send a worker what it lacks of an image, and have it unpacked there.

        Raises:
            ImageRefused: the worker refuses it.
            SandboxFailed: it cannot be sent; WorkerLost if the worker is gone.
        """
        async with self._sending[worker]:
            places = self._places(manifest)
            blobs = tuple((name, size, str(path)) for name, (size, path) in places.items())
            missing = await self._cluster.ask(worker, Offer(blobs=blobs), Missing, lost=lost)
            for name, offset in missing.blobs:
                size, path = places[name]
                await self._send(
                    worker, Piece(blob=name, size=size, offset=offset, data=b""), path
                )
            wish = Unpack(manifest=manifest)
            unpacked = await self._cluster.ask(worker, wish, Unpacked, lost=lost)
            return decode_image(unpacked.image)

    def _places(self, manifest: Digest) -> dict[Digest, tuple[int, Path]]:
        """Return size and place of each blob of an image, the manifest included."""
        found = {}
        for name in (manifest, *(blob.digest for blob in self.blobs_of(manifest))):
            if (path := self._blobs.path_of(name)) is None:
                raise SandboxFailed(f"the image's blob {name.hex()} is not here")
            found[name] = (path.stat().st_size, path)
        return found

    async def _send(self, worker: str, start: Piece, path: Path) -> None:
        offset = start.offset
        with path.open("rb") as file:
            while True:
                file.seek(offset)
                data = await asyncio.to_thread(file.read, PIECE_BYTES)
                piece = Piece(blob=start.blob, size=start.size, offset=offset, data=data)
                have = await self._cluster.ask(worker, piece, Have)
                if have.bytes >= start.size:
                    return
                if have.bytes == offset:
                    raise SandboxFailed("a worker takes no more of an image")
                offset = have.bytes
