"""The images of a Dask worker: blobs that its nodes have sent, once, and what was unpacked of them."""

import asyncio
import itertools
import re
import socket
from pathlib import Path

from lc_node.adapters.blob_files import PartialFile
from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.oci_image import OciImageStore
from lc_node.adapters.process_lock import ProcessLock
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import SandboxFailed
from lc_node.ports.stores import Naming, NodeAlreadyRunning

_IMAGES_SHARE = 2
"""Unpacked images take about twice what their blobs do."""


class WorkerCache:
    """Blobs and images in a folder of this worker alone; kept for the next worker that gets the folder."""

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        """Keep at most ``bytes_max`` bytes of blobs there."""
        self._blobs = DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(bytes_max))
        images_max = ByteCount(_IMAGES_SHARE * bytes_max)
        self._images = OciImageStore(folder / "images", self._blobs, cache_bytes_max=images_max)
        self._coming: dict[Digest, PartialFile] = {}
        self._writing = asyncio.Lock()

    async def missing(
        self, blobs: tuple[tuple[Digest, int, str], ...]
    ) -> list[tuple[Digest, int]]:
        """Return which blobs are not here, each with how much of it is; copy those that can be read here."""
        found: list[tuple[Digest, int]] = []
        for digest, size, path in blobs:
            if self._blobs.path_of(digest) is None and not await self._copied(digest, Path(path)):
                async with self._writing:
                    found.append((digest, self._partial(digest, size).offset))
        return found

    async def write(self, digest: Digest, size: int, offset: int, data: bytes) -> int:
        """Append to a blob unless these bytes are here already; return how many are here now.

        Raises:
            BlobCorrupt: all of them are here, and they are not those of that name.
        """
        async with self._writing:
            if self._blobs.path_of(digest) is not None:
                return size
            partial = self._partial(digest, size)
            if partial.offset == offset:
                await asyncio.to_thread(partial.write, data)
            if partial.offset == size:
                del self._coming[digest]
                await asyncio.to_thread(partial.finish)
            return partial.offset

    async def unpack(self, manifest: Digest) -> PreparedImage:
        """Return an image, unpacked once.

        Raises:
            ImageRefused: it is malformed or hostile, or blobs of it are not here.
        """
        return await self._images.prepare(manifest)

    def _partial(self, digest: Digest, size: int) -> PartialFile:
        if digest not in self._coming:
            opened = self._blobs.partial(digest, ByteCount(size), Naming.SHA256)
            self._coming[digest] = opened
        return self._coming[digest]

    async def _copied(self, digest: Digest, path: Path) -> bool:
        """Copy a blob from a file system that the node has too; False if it is not there, or is another."""
        try:
            found, _ = await asyncio.to_thread(self._blobs.put_file, path, Naming.SHA256)
        except OSError:
            return False
        return found == digest


def claim_folder(base: Path) -> tuple[Path, ProcessLock]:
    """Return a folder below ``base`` that this process has alone, and the lock that says so.

    Workers of one machine count up; those of other machines, which may share the file system, have other names.
    """
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:64] or "worker"
    for number in itertools.count():
        folder = base / f"{host}-{number}"
        try:
            lock = ProcessLock.acquire(base / f"{folder.name}.lock")
        except NodeAlreadyRunning:
            continue
        folder.mkdir(mode=0o755, exist_ok=True)
        return folder, lock
    raise SandboxFailed("unreachable: numbers do not end")
