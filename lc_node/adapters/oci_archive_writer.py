"""Writes an image as one archive that ``docker load`` takes, and that is an OCI layout as well."""

import tarfile
from collections.abc import Callable
from io import BytesIO
from typing import BinaryIO, Final

import msgspec

from lc_node.oci.manifest import (
    MANIFEST_TYPE,
    BlobName,
    Descriptor,
    Index,
    Manifest,
    blob_name,
    decode_manifest,
    encode,
)

_REF_NAME: Final = "org.opencontainers.image.ref.name"
_LAYOUT: Final = b'{"imageLayoutVersion":"1.0.0"}'


def write_archive(
    manifest: bytes, open_blob: Callable[[BlobName], BinaryIO], target: BinaryIO, *, name: str
) -> None:
    """Write an image; ``name`` is what Docker will call it, nothing if empty. The same image gives the same bytes.

    Docker reads ``manifest.json`` (moby ``image/spec``), everybody else ``index.json`` (image-spec ``image-layout.md``).
    """
    document = decode_manifest(manifest)
    digest = blob_name(manifest)
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add(archive, "oci-layout", _LAYOUT)
        _add(archive, "index.json", encode(_index(manifest, document, name)))
        _add(archive, "manifest.json", _docker_list(document, name))
        _add(archive, _place(digest), manifest)
        sizes = {layer.digest: layer.size for layer in document.layers}
        sizes[document.config.digest] = document.config.size
        for each, size in sorted(sizes.items()):
            with open_blob(each) as source:
                archive.addfile(_member(_place(each), size), source)


def _index(manifest: bytes, document: Manifest, name: str) -> Index:
    media_type = document.media_type or MANIFEST_TYPE
    only = Descriptor(
        media_type=media_type,
        digest=blob_name(manifest),
        size=len(manifest),
        annotations={_REF_NAME: name} if name else None,
    )
    return Index(schema_version=2, manifests=(only,))


def _docker_list(document: Manifest, name: str) -> bytes:
    image = {
        "Config": _place(document.config.digest),
        "RepoTags": [name] if name else None,
        "Layers": [_place(layer.digest) for layer in document.layers],
    }
    return msgspec.json.encode([image])


def _add(archive: tarfile.TarFile, path: str, data: bytes) -> None:
    archive.addfile(_member(path, len(data)), BytesIO(data))


def _member(path: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.size, member.mode = size, 0o644
    return member


def _place(name: BlobName) -> str:
    return f"blobs/sha256/{name.removeprefix('sha256:')}"
