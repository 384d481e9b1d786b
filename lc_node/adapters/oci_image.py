"""The image store: images of the blob store, unpacked safely, kept while there is room."""

import asyncio
import json
import os
import signal
import sys
import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import lc_node
from lc_node.adapters.oci_cache import Record, TreeCache
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.manifest import (
    CONFIG_BYTES_MAX,
    GZIP_TYPES,
    MANIFEST_BYTES_MAX,
    ConfigDescriptor,
    ImageConfig,
    LayerDescriptor,
    MalformedImage,
    Manifest,
    decode_config,
    decode_manifest,
    validate_image,
)
from lc_node.oci.platforms import architecture_of
from lc_node.ports.images import BlobPlaces, BlobReference, ImageRefused, PreparedImage

_SCRIPT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from lc_node.adapters.oci_unpack import main; main()"
)
_PACKAGES: Final = Path(lc_node.__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackLimits:
    """How much a stranger's image may ask of us."""

    blob_bytes: int = 8 << 30
    """One layer as it is stored."""
    unpacked_bytes: int = 16 << 30
    """All layers, in whole blocks of the disk."""
    file_bytes: int = 4 << 30
    entries: int = 100_000
    ratio: int = 200
    """How many times smaller a compressed layer may be, past its first 16 MiB."""
    memory_bytes: int = 512 << 20
    """Address space of the process that unpacks."""
    cpu_seconds: int = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layer:
    """A layer as the unpacker is told of it."""

    path: str
    gzip: bool
    diff_id: str


class OciImageStore:
    """Unpacks each image once; see ``ports.images.ImageStore``.

    Images that somebody still holds are never removed, nor is the one just prepared. Images of one environment
    differ in their last layer only, so what lies below it is kept too, and shared between them by hard links.
    """

    def __init__(
        self,
        folder: Path,
        blobs: BlobPlaces,
        *,
        cache_bytes_max: ByteCount,
        limits: UnpackLimits | None = None,
    ) -> None:
        """Take over a folder of this node's own, with at most ``cache_bytes_max`` of unpacked images."""
        self._cache = TreeCache(folder, bytes_max=cache_bytes_max)
        self._blobs = blobs
        self._limits = limits or UnpackLimits()
        self._held: weakref.WeakValueDictionary[Digest, PreparedImage] = (
            weakref.WeakValueDictionary()
        )
        self._preparing = asyncio.Lock()

    def blobs_of(self, manifest: Digest) -> tuple[BlobReference, ...]:
        """Return config and layers of a manifest that the blob store holds.

        Raises:
            ImageRefused: the manifest is missing, malformed or breaks a limit.
        """
        document = self._manifest(manifest)
        blobs: list[ConfigDescriptor | LayerDescriptor] = [document.config, *document.layers]
        return tuple(
            BlobReference(digest=_digest(blob.digest), size=ByteCount(blob.size)) for blob in blobs
        )

    async def prepare(self, manifest: Digest) -> PreparedImage:
        """Unpack (once) and return the image, whose blobs must all be in the blob store.

        Raises:
            ImageRefused: a layer is malformed, hostile, or over a limit.
            OSError: the disk is full or broken.
        """
        async with self._preparing:
            record = await self._cache.find(manifest) or await self._unpack(manifest)
            image = self._held.get(manifest) or PreparedImage(
                rootfs=self._cache.tree(manifest),
                argv=record.argv,
                environment=record.environment,
                manifest=manifest,
                working_folder=record.working_folder,
            )
            self._held[manifest] = image
            await asyncio.to_thread(self._cache.make_room, set(self._held))
            return image

    async def forget(self, manifest: Digest) -> None:
        """Remove what was unpacked of an image, unless somebody holds it."""
        async with self._preparing:
            if manifest not in self._held:
                await asyncio.to_thread(self._cache.remove, manifest)

    def _manifest(self, digest: Digest) -> Manifest:
        data = self._small_blob(digest, MANIFEST_BYTES_MAX, "manifest")
        try:
            document = decode_manifest(data)
        except MalformedImage as error:
            raise ImageRefused(str(error)) from error
        for layer in document.layers:
            if layer.size > self._limits.blob_bytes:
                raise ImageRefused(f"a layer of {layer.size} bytes")
        return document

    def _config(self, document: Manifest) -> ImageConfig:
        data = self._small_blob(_digest(document.config.digest), CONFIG_BYTES_MAX, "configuration")
        try:
            config = decode_config(data)
            validate_image(document, config)
        except MalformedImage as error:
            raise ImageRefused(str(error)) from error
        ours = os.uname().machine
        if config.architecture != architecture_of(ours):
            raise ImageRefused(f"it is for {config.architecture}, this machine is {ours}")
        return config

    def _small_blob(self, digest: Digest, bytes_max: int, what: str) -> bytes:
        """Read a blob and check it again: it names what the layers must be."""
        path = self._path_of(digest, what)
        if path.stat().st_size > bytes_max:
            raise ImageRefused(f"a {what} of more than {bytes_max} bytes")
        data = path.read_bytes()
        if sha256(data) != digest:
            raise ImageRefused(f"the {what} does not have the digest that names it")
        return data

    def _path_of(self, digest: Digest, what: str) -> Path:
        if (path := self._blobs.path_of(digest)) is None:
            raise ImageRefused(f"its {what} sha256:{digest.hex()} is not here; fetch it first")
        return path

    async def _unpack(self, manifest: Digest) -> Record:
        document = self._manifest(manifest)
        config = self._config(document)
        if not config.argv:
            raise ImageRefused("it names no program to start")
        layers = self._layers(document, config)
        # The least that it will take; the rest is made room for once it is known.
        least = sum(layer.size for layer in document.layers)
        await asyncio.to_thread(self._cache.make_room, set(self._held), least)
        name, below = await self._below(layers[:-1])
        return await self._cache.add(
            manifest,
            lambda root: self._fill(root, layers, below),
            argv=config.argv,
            environment=config.environment,
            working_folder=config.working_folder,
            below=name,
        )

    def _layers(self, document: Manifest, config: ImageConfig) -> list[_Layer]:
        return [
            _Layer(
                path=str(self._layer_path(_digest(layer.digest), layer.size)),
                gzip=layer.media_type in GZIP_TYPES,
                diff_id=diff_id,
            )
            for layer, diff_id in zip(document.layers, config.rootfs.diff_ids, strict=True)
        ]

    async def _below(self, layers: list[_Layer]) -> tuple[Digest | None, Path | None]:
        """Return a tree of these layers, which other images may share, and its name."""
        if not layers:
            return None, None
        name = sha256("\n".join(layer.diff_id for layer in layers).encode())
        if await self._cache.find(name) is None:
            await self._cache.add(name, lambda root: self._fill(root, layers, None))
        return name, self._cache.tree(name)

    async def _fill(self, root: Path, layers: list[_Layer], below: Path | None) -> int:
        """Write layers into an empty tree; given a tree of all but the last, only that one."""
        first = 0 if below is None else len(layers) - 1
        plan = {
            "root": str(root),
            "start_from": None if below is None else str(below),
            "first_layer": first + 1,
            "layers": [asdict(layer) for layer in layers[first:]],
            "limits": asdict(self._limits),
        }
        return await _unpack_apart(plan)

    def _layer_path(self, digest: Digest, size: int) -> Path:
        path = self._path_of(digest, "layer")
        if path.stat().st_size != size:
            raise ImageRefused(f"a layer of {path.stat().st_size} bytes, {size} were declared")
        return path


async def _unpack_apart(plan: Mapping[str, Any]) -> int:
    """Unpack in a process that may use little, and that dies with us; return the bytes it wrote."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", "-c", _SCRIPT, str(_PACKAGES)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        answer, log = await process.communicate(json.dumps(plan).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == -signal.SIGXCPU:
        seconds = plan["limits"]["cpu_seconds"]
        raise ImageRefused(f"unpacking it takes more than {seconds} s of a processor")
    if process.returncode:
        raise ImageRefused(_last_line(log) or f"unpacking it ended with {process.returncode}")
    result = json.loads(answer)
    if "failed" in result:
        raise OSError(result["failed"], result["why"])
    if "refused" in result:
        raise ImageRefused(result["refused"])
    return int(result["bytes"])


def _last_line(log: bytes) -> str:
    return log.decode(errors="replace").strip().rpartition("\n")[2]


def _digest(name: str) -> Digest:
    return Digest(bytes.fromhex(name.removeprefix("sha256:")))
