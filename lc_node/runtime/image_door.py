"""The owner's images: those brought to this node, kept until they are removed, and those of jobs."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from lc_node.api import calls, schema, schema_images
from lc_node.api.errors import Refused, UnknownThing
from lc_node.chain.job import Job
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.manifest import MalformedImage
from lc_node.oci.references import BadReference, Reference, parse_reference
from lc_node.ports.images import BlobReference, ImageRefused, ImageStore
from lc_node.ports.registry import Registry
from lc_node.ports.stores import BlobStore
from lc_node.runtime.event_texts import job_name
from lc_node.runtime.image_catalogue import NAME_CHARS_MAX, ImageCatalogue


@dataclass(slots=True)
class _Pull:
    """An image on its way in: which blob comes now, and how much of it is here."""

    name: str
    blob: Digest | None = None
    here: ByteCount = ByteCount(0)  # noqa: RUF009 (an int by another name)

    def told(self, here: ByteCount, _whole: ByteCount) -> None:
        """Note how far the blob is."""
        self.here = here


class ImageDoor:
    """The image calls of ``api.service.Service``."""

    def __init__(
        self,
        catalogue: ImageCatalogue,
        *,
        images: ImageStore,
        blobs: BlobStore,
        live_jobs: Callable[[], Iterable[Job]],
        registry: Registry | None,
    ) -> None:
        """Serve the owner; from now on what the catalogue names is not evicted."""
        self._catalogue = catalogue
        self._image_store = images
        self._image_blobs = blobs
        self._live_jobs = live_jobs
        self._registry = registry
        self._kept: dict[Digest, frozenset[Digest]] = {}
        self._pulls: dict[Digest, _Pull] = {}
        for image in catalogue.images:
            self._pin(image)

    async def images(self) -> tuple[schema_images.ImageView, ...]:
        """Return the images that are kept, pulled, and those of jobs whose manifest is here; those kept last come last."""
        of_jobs = sorted(job.spec.image.manifest for job in self._live_jobs())
        here = [image for image in dict.fromkeys(of_jobs) if self._image_blobs.holds(image)]
        return tuple(
            map(self._shown, dict.fromkeys([*here, *self._pulls, *self._catalogue.images]))
        )

    async def keep_image(self, call: calls.KeepImage) -> schema_images.ImageView:
        """Keep an image whose blobs are here.

        Raises:
            UnknownThing: its manifest is not here.
            ImageRefused: it is malformed, or breaks a limit.
            Refused: a blob is missing.
        """
        image = _digest(call.image)
        missing = [
            blob.digest
            for blob in self._blobs_of(image)
            if not self._image_blobs.holds(blob.digest)
        ]
        if missing:
            message = f"put the image's blobs into the node first: {missing[0].hex()} is missing"
            raise Refused("ImageMissing", message)
        self._catalogue.add(image, call.name)
        self._pin(image)
        return self._shown(image)

    async def pull_image(self, call: calls.PullImage) -> schema_images.ImageView:
        """Bring an image here from a registry, and keep it under its reference if that is wished.

        Raises:
            Refused: the reference is none, or what it names is no image.
            ImageRefused: the image breaks a limit.
            RegistryError: one subclass a cause.
        """
        registry, reference = self._to_registry(call.reference)
        try:
            manifest = await registry.resolve(reference, anonymous=False)
        except MalformedImage as error:
            raise Refused("MalformedImage", str(error)) from error
        image = await asyncio.to_thread(self._image_blobs.put_bytes, manifest)
        self._pin(image)
        pull = self._pulls[image] = _Pull(str(reference))
        try:
            for blob in self._blobs_of(image):
                pull.blob, pull.here = blob.digest, ByteCount(0)
                if not self._image_blobs.holds(blob.digest):
                    await registry.fetch(
                        reference, blob, self._image_blobs, anonymous=False, progress=pull.told
                    )
            if call.keep:
                name = str(reference)
                self._catalogue.add(image, name if len(name) <= NAME_CHARS_MAX else "")
        finally:
            if self._pulls.get(image) is pull:
                del self._pulls[image]
            if image not in self._catalogue.images:
                self._unpin(image)
        return self._shown(image)

    async def push_image(self, call: calls.PushImage) -> schema_images.ImageView:
        """Bring an image to a registry.

        Raises:
            Refused: the reference is none, or a part of the image is missing here.
            UnknownThing: the image is not here.
            RegistryError: one subclass a cause.
        """
        registry, reference = self._to_registry(call.reference)
        image = _digest(call.image)
        self._blobs_of(image)
        was_kept = image in self._kept
        self._pin(image)
        try:
            manifest = await asyncio.to_thread(self._here(image).read_bytes)
            await registry.push(reference, manifest, self._here)
        finally:
            if not was_kept:
                self._unpin(image)
        return self._shown(image)

    def _to_registry(self, text: str) -> tuple[Registry, Reference]:
        if self._registry is None:
            raise Refused("NoRegistry", "this node speaks with no registry")
        try:
            return self._registry, parse_reference(text)
        except BadReference as error:
            raise Refused("BadReference", str(error)) from error

    def _here(self, blob: Digest) -> Path:
        path = self._image_blobs.path_of(blob)
        if path is None:
            message = f"a part of the image is missing here: {blob.hex()}"
            raise Refused("ImageMissing", message)
        return path

    async def remove_image(self, call: calls.RemoveImage) -> schema_images.RemovedImage:
        """Forget an image, and delete of it what nothing else needs.

        Raises:
            UnknownThing: it is not here.
            Refused: a job that is not over runs it.
        """
        image = _digest(call.image)
        jobs = self._jobs_of(image)
        if jobs:
            message = f"job {jobs[0][:8]} runs this image; wait until it is over, or `lc-node job cancel` it"
            raise Refused("ImageInUse", message)
        if not self._image_blobs.holds(image) and image not in self._catalogue.images:
            raise UnknownThing(
                "UnknownImage", f"No image {call.image[:12]} here; see `lc-node image list`."
            )
        blobs = self._known_blobs(image)
        self._catalogue.remove(image)
        self._unpin(image)
        await self._image_store.forget(image)
        freed = await asyncio.to_thread(self._remove, sorted(blobs))
        return schema_images.RemovedImage(image=call.image, freed_bytes=freed)

    def _remove(self, blobs: Iterable[Digest]) -> int:
        return sum(self._image_blobs.remove(blob) for blob in blobs)

    def _shown(self, image: Digest) -> schema_images.ImageView:
        names, pull = self._catalogue.images.get(image), self._pulls.get(image)
        view = schema_images.ImageView(
            image=schema.Digest(image.hex()),
            names=names or ((pull.name,) if pull else ()),
            is_kept=names is not None,
            jobs=self._jobs_of(image),
        )
        try:
            blobs = self._blobs_of(image)
        except (ImageRefused, UnknownThing) as error:
            return replace(view, problem=str(error))
        missing = {b.digest: b.size for b in blobs if not self._image_blobs.holds(b.digest)}
        if pull is not None and pull.blob in missing:
            missing[pull.blob] = ByteCount(max(0, missing[pull.blob] - pull.here))
        return replace(
            view,
            layers=len(blobs) - 1,
            total_bytes=sum(blob.size for blob in blobs),
            missing_bytes=sum(missing.values()),
            is_pulled_now=pull is not None,
        )

    def _jobs_of(self, image: Digest) -> tuple[schema.JobId, ...]:
        jobs = (job for job in self._live_jobs() if job.spec.image.manifest == image)
        return tuple(job_name(job.id) for job in jobs)

    def _blobs_of(self, image: Digest) -> tuple[BlobReference, ...]:
        """Return what an image consists of, each blob once.

        Raises:
            UnknownThing: its manifest is not here.
            ImageRefused: it is malformed, or breaks a limit.
        """
        if not self._image_blobs.holds(image):
            message = f"the manifest of image {image.hex()[:12]} is not here"
            raise UnknownThing("UnknownImage", message)
        return tuple(dict.fromkeys(self._image_store.blobs_of(image)))

    def _known_blobs(self, image: Digest) -> frozenset[Digest]:
        """Return the image's manifest and whatever it is known to consist of."""
        try:
            return frozenset((image, *(blob.digest for blob in self._blobs_of(image))))
        except (ImageRefused, UnknownThing):
            return frozenset((image,))

    def _pin(self, image: Digest) -> None:
        self._unpin(image)
        self._kept[image] = self._known_blobs(image)
        for blob in self._kept[image]:
            self._image_blobs.pin(blob)

    def _unpin(self, image: Digest) -> None:
        for blob in self._kept.pop(image, frozenset()):
            self._image_blobs.unpin(blob)


def _digest(name: schema.Digest) -> Digest:
    return Digest(bytes.fromhex(name))
