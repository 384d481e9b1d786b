"""The image store: images of the blob store, unpacked safely, kept while there is room."""

import asyncio
import json
import os
import secrets
import shutil
import sys
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

import lc_node
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
from lc_node.ports.images import BlobReference, ImageRefused, PreparedImage
from lc_node.ports.stores import BlobStore

_SCRIPT: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from lc_node.adapters.oci_unpack import main; main()"
)
_PACKAGES: Final = Path(lc_node.__file__).parents[1]
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_RECORD: Final = "image.json"
_NEW: Final = "new-"
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


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


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an unpacked image, written beside it."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    bytes: int
    boot_id: str
    """An image of an earlier boot is unpacked anew: who knows what of it had reached the disk."""


class OciImageStore:
    """Unpacks each image once; see ``ports.images.ImageStore``.

    Images that somebody still holds are never removed, nor is the one just prepared; of the others those used
    longest ago go first when all of them together take more than the cache may.
    """

    def __init__(
        self,
        folder: Path,
        blobs: BlobStore,
        *,
        cache_bytes_max: ByteCount,
        limits: UnpackLimits | None = None,
    ) -> None:
        """Take over a folder of this node's own, with at most ``cache_bytes_max`` of unpacked images."""
        self._folder = folder
        self._blobs = blobs
        self._cache_bytes_max = cache_bytes_max
        self._limits = limits or UnpackLimits()
        self._held: weakref.WeakValueDictionary[Digest, PreparedImage] = (
            weakref.WeakValueDictionary()
        )
        self._preparing = asyncio.Lock()
        self._boot_id = _BOOT_ID.read_text().strip()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for leftover in folder.glob(f"{_NEW}*"):
            shutil.rmtree(leftover)

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
            if (held := self._held.get(manifest)) is None:
                record = await asyncio.to_thread(self._recorded, manifest)
                record = record or await self._unpack(manifest)
                held = PreparedImage(
                    rootfs=self._place(manifest) / "rootfs",
                    argv=record.argv,
                    environment=record.environment,
                )
                self._held[manifest] = held
            os.utime(self._place(manifest) / _RECORD)
            await asyncio.to_thread(self._make_room, set(self._held))
            return held

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
        if config.architecture != _ARCHITECTURES.get(ours, ours):
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

    def _place(self, manifest: Digest) -> Path:
        return self._folder / manifest.hex()

    def _recorded(self, manifest: Digest) -> _Record | None:
        """Return what is known of an image that is unpacked already."""
        place = self._place(manifest)
        try:
            record = msgspec.json.decode((place / _RECORD).read_bytes(), type=_Record)
        except FileNotFoundError:
            return None
        if record.boot_id == self._boot_id:
            return record
        self._discard(place)
        return None

    def _discard(self, place: Path) -> None:
        """Remove an image in two steps, so that no half of one keeps its name."""
        condemned = self._folder / f"{_NEW}{secrets.token_hex(8)}"
        place.rename(condemned)
        shutil.rmtree(condemned)

    async def _unpack(self, manifest: Digest) -> _Record:
        document = self._manifest(manifest)
        config = self._config(document)
        if not config.argv:
            raise ImageRefused("it names no program to start")
        place = self._folder / f"{_NEW}{secrets.token_hex(8)}"
        (place / "rootfs").mkdir(parents=True)
        try:
            plan = self._plan(place / "rootfs", document, config)
            unpacked_bytes = await _unpack_apart(plan)
            record = _Record(
                argv=config.argv,
                environment=config.environment,
                bytes=unpacked_bytes,
                boot_id=self._boot_id,
            )
            (place / _RECORD).write_bytes(msgspec.json.encode(record))
            place.rename(self._place(manifest))
        except BaseException:
            await asyncio.to_thread(shutil.rmtree, place)
            raise
        return record

    def _plan(self, root: Path, document: Manifest, config: ImageConfig) -> dict[str, Any]:
        layers = [
            {
                "path": str(self._layer_path(_digest(layer.digest), layer.size)),
                "gzip": layer.media_type in GZIP_TYPES,
                "diff_id": diff_id,
            }
            for layer, diff_id in zip(document.layers, config.rootfs.diff_ids, strict=True)
        ]
        return {"root": str(root), "layers": layers, "limits": asdict(self._limits)}

    def _layer_path(self, digest: Digest, size: int) -> Path:
        path = self._path_of(digest, "layer")
        if path.stat().st_size != size:
            raise ImageRefused(f"a layer of {path.stat().st_size} bytes, {size} were declared")
        return path

    def _make_room(self, held: set[Digest]) -> None:
        """Remove what was used longest ago, until the rest fits."""
        images = sorted(self._unpacked())
        total = sum(size for _, size, _ in images)
        for _, size, place in images:
            if total <= self._cache_bytes_max:
                return
            if bytes.fromhex(place.name) not in held:
                self._discard(place)
                total -= size

    def _unpacked(self) -> Iterator[tuple[float, int, Path]]:
        for file in self._folder.glob(f"*/{_RECORD}"):
            if not file.parent.name.startswith(_NEW):
                record = msgspec.json.decode(file.read_bytes(), type=_Record)
                yield file.stat().st_mtime, record.bytes, file.parent


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
