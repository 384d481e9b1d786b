"""From where a job's image comes: this disk, the graph, or a registry that its submitter names and the owner allows."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from lc_node.chain.errors import LearningChainError
from lc_node.chain.transactions import ImageReference
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.manifest import MANIFEST_BYTES_MAX, MalformedImage
from lc_node.oci.references import BadReference, Reference, parse_reference
from lc_node.ports.clock import Clock
from lc_node.ports.images import BlobReference, ImageRefused
from lc_node.ports.registry import Registry, RegistryError
from lc_node.ports.stores import BlobStore, Naming
from lc_node.runtime.blob_exchange import BlobUnavailable
from lc_node.runtime.registry_rests import RegistryRests

Progress: TypeAlias = Callable[[ByteCount, ByteCount], None]
"""Told bytes here and bytes in all."""

Source: TypeAlias = Callable[[], Awaitable[Path]]


class ImageUnavailable(LearningChainError):
    """An image cannot be had from anybody now; what has come of it is kept for a later attempt."""

    def __init__(self, digest: Digest, whys: list[str]) -> None:
        """Say of which blob, and what was tried."""
        super().__init__(f"blob {digest.hex()} cannot be fetched: {'; '.join(whys)}")
        self.digest = digest


class Fetcher(Protocol):
    """Whoever brings blobs from the graph."""

    async def fetch_blob(
        self,
        digest: Digest,
        *,
        naming: Naming,
        size_max: ByteCount,
        progress: Progress = ...,
    ) -> Path:
        """Return a verified blob, from this disk or from peers."""
        ...


class ImageFetcher:
    """Tries one source after the other; whatever they send is kept only under its digest."""

    def __init__(
        self,
        blobs: BlobStore,
        graph: Fetcher,
        registry: Registry | None,
        clock: Clock,
        *,
        anonymous: bool,
    ) -> None:
        """Fetch into ``blobs``; without a registry from the graph alone."""
        self._blobs = blobs
        self._graph = graph
        self._registry = registry
        self._anonymous = anonymous
        self._rests = RegistryRests(clock)
        self._locks: Final[weakref.WeakValueDictionary[Digest, asyncio.Lock]] = (
            weakref.WeakValueDictionary()
        )

    def in_reach(self, image: ImageReference) -> bool:
        """Tell whether an image is said to be where this node looks."""
        return image.on_graph or bool(self._allowed(image))

    async def manifest(self, image: ImageReference) -> Path:
        """Bring an image's manifest here.

        Raises:
            ImageUnavailable, BlobUnavailable: nobody has it now.
            ImageRefused: the name is one of several images.
        """
        size = ByteCount(MANIFEST_BYTES_MAX)
        blob = BlobReference(digest=image.manifest, size=size)
        return await self._first(image, blob, lambda _here, _all: None, self._manifest_at)

    async def fetch(self, image: ImageReference, blob: BlobReference, progress: Progress) -> Path:
        """Bring one of an image's blobs here.

        Raises:
            ImageUnavailable, BlobUnavailable: nobody has it now.
            BlobQuotaExceeded, StorageFull: there is no room for it.
        """
        return await self._first(
            image, blob, progress, lambda each: self._blob_at(each, blob, progress)
        )

    async def _first(
        self,
        image: ImageReference,
        blob: BlobReference,
        progress: Progress,
        at: Callable[[Reference], Awaitable[Path]],
    ) -> Path:
        """Return what the first source that has it gives."""

        async def from_graph() -> Path:
            return await self._graph.fetch_blob(
                blob.digest, naming=Naming.SHA256, size_max=blob.size, progress=progress
            )

        lock = self._locks.setdefault(blob.digest, asyncio.Lock())
        async with lock:  # two jobs may share a layer
            if (path := self._blobs.path_of(blob.digest)) is not None:
                return path
            registries: list[Source] = [
                partial(self._asked, each, at) for each in self._allowed(image)
            ]
            sources = [from_graph, *registries] if image.on_graph else [*registries, from_graph]
            return await _tried(blob.digest, sources)

    def _allowed(self, image: ImageReference) -> list[Reference]:
        """Return where the image may be fetched from, by its own digest."""
        registry = self._registry
        if registry is None:
            return []
        found = []
        for text in image.references:
            try:
                named = parse_reference(text)
            except BadReference:
                continue
            if registry.allows(named.host):
                digest = f"sha256:{image.manifest.hex()}"
                found.append(
                    Reference(host=named.host, name=named.name, tag=named.tag, digest=digest)
                )
        return found

    async def _asked(
        self, reference: Reference, at: Callable[[Reference], Awaitable[Path]]
    ) -> Path:
        """Ask a registry, unless it has failed lately."""
        self._rests.validate(reference)
        try:
            path = await at(reference)
        except RegistryError:
            self._rests.failed(reference)
            raise
        self._rests.succeeded(reference)
        return path

    async def _manifest_at(self, reference: Reference) -> Path:
        assert self._registry is not None, "only its references are tried"
        try:
            data = await self._registry.resolve(reference, anonymous=self._anonymous)
        except MalformedImage as error:
            raise ImageRefused(str(error)) from error
        digest = await asyncio.to_thread(self._blobs.put_bytes, data)
        if f"sha256:{digest.hex()}" != reference.digest:
            raise ImageRefused("its digest names several images; a job names one")
        path = self._blobs.path_of(digest)
        assert path is not None, "just put there, and pinned"
        return path

    async def _blob_at(
        self, reference: Reference, blob: BlobReference, progress: Progress
    ) -> Path:
        assert self._registry is not None, "only its references are tried"
        return await self._registry.fetch(
            reference, blob, self._blobs, anonymous=self._anonymous, progress=progress
        )


async def _tried(digest: Digest, sources: list[Source]) -> Path:
    whys: list[str] = []
    for source in sources:
        try:
            return await source()
        except BlobUnavailable as error:
            if len(sources) == 1:
                raise
            whys.append(error.why)
        except RegistryError as error:
            whys.append(str(error))
    raise ImageUnavailable(digest, whys)
