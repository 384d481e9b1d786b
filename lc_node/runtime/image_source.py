"""An image's blobs in a folder of their own, each compared with its digest: to be looked at without a node."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.manifest import (
    CONFIG_BYTES_MAX,
    ImageConfig,
    MalformedImage,
    Manifest,
    decode_config,
    decode_manifest,
    validate_image,
)
from lc_node.ports.images import ImageRefused

_READ_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image whose blobs are all at hand."""

    digest: Digest
    manifest: Manifest
    config: ImageConfig
    paths: Mapping[Digest, Path]

    @property
    def total_bytes(self) -> ByteCount:
        """Bytes that a node without any of it must fetch."""
        return ByteCount(sum(path.stat().st_size for path in self.paths.values()))

    def path_of(self, digest: Digest) -> Path | None:
        """Serve ``ports.images.BlobPlaces``."""
        return self.paths.get(digest)


def fetch_image(
    manifest: bytes, open_blob: Callable[[Digest], BinaryIO], folder: Path
) -> LocalImage:
    """Copy an image into a folder.

    Args:
        manifest: the document.
        open_blob: opens configuration and layers.
        folder: an empty one.

    Raises:
        ImageRefused: a document is malformed, or a blob is not what names it.
    """
    digest = Digest(hashlib.sha256(manifest).digest())
    try:
        document = decode_manifest(manifest)
        if document.config.size > CONFIG_BYTES_MAX:
            raise ImageRefused(f"a configuration of {document.config.size} bytes")
        paths = {digest: _kept(folder, digest, [manifest], len(manifest))}
        sizes = {layer.digest: layer.size for layer in document.layers}
        for name, size in {**sizes, document.config.digest: document.config.size}.items():
            with open_blob(digest_of(name)) as file:
                paths[digest_of(name)] = _kept(folder, digest_of(name), _pieces(file), size)
        config = decode_config(paths[digest_of(document.config.digest)].read_bytes())
        validate_image(document, config)
    except MalformedImage as error:
        raise ImageRefused(str(error)) from error
    return LocalImage(digest=digest, manifest=document, config=config, paths=paths)


def digest_of(name: str) -> Digest:
    """Return the digest of a blob's name in a document."""
    return Digest(bytes.fromhex(name.removeprefix("sha256:")))


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(_READ_BYTES):
        yield piece


def _kept(folder: Path, name: Digest, pieces: Iterable[bytes], size: int) -> Path:
    """Write a blob.

    Raises:
        ImageRefused: it is longer or shorter than declared, or other bytes.
    """
    path, taken, length = folder / name.hex(), hashlib.sha256(), 0
    with path.open("wb") as file:
        for piece in pieces:
            taken.update(piece)
            length += len(piece)
            if length > size:
                break
            file.write(piece)
    if length != size or taken.digest() != name:
        raise ImageRefused(f"the blob sha256:{name.hex()} is not what names it")
    return path
