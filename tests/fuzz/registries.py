"""What registries, their names and archives of images give to read."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path

from lc_node.adapters.oci_archive import open_archive, read_images
from lc_node.adapters.registry_auth import read_challenge, read_token
from lc_node.adapters.registry_credentials import read_credentials
from lc_node.oci.manifest import decode_index, decode_manifest
from lc_node.oci.platforms import choose_manifest, is_index
from lc_node.oci.references import Reference, parse_reference
from tests.adapters.sketches import index_of, sketch, tar_of


def read_reference(data: bytes) -> Reference:
    """Read a reference as a person types it, or a job names it."""
    return parse_reference(data.decode(errors="replace"))


def write_reference(reference: Reference) -> bytes:
    """Write a reference in full."""
    return str(reference).encode()


def references() -> Sequence[bytes]:
    """Return references of each form."""
    digest = b"@sha256:" + b"0" * 64
    return [
        b"python:3.11",
        b"ghcr.io/me/image" + digest,
        b"[::1]:5000/a__b/c-d:tag" + digest,
        b"https://Localhost/A b",
    ]


def read_answers(data: bytes) -> None:
    """Read what a registry answers who asks who we are: header and token."""
    read_challenge([data.decode("latin-1")])
    read_token(data)


def challenges() -> Sequence[bytes]:
    """Return a header of each kind, and tokens."""
    return [
        b'Bearer realm="https://a/t",service="s",scope="repository:n:pull,push"',
        b'Basic realm="x"',
        b'{"token": "a", "access_token": "b"}',
    ]


def read_saved_images(path: Path) -> None:
    """Read the images of an archive, and all of their blobs."""
    with open_archive(path) as members:
        for image in read_images(members, "x86_64"):
            for layer in image.document.layers:
                with image.open(layer.digest) as source:
                    source.read(1024)


def saved_images() -> Sequence[bytes]:
    """Return an archive as Docker saves it, and one with an OCI layout."""
    image = sketch(b"one", gzip=False)
    layer, config = image.blobs.values()
    listed = [{"Config": "c", "RepoTags": ["here:1"], "Layers": ["l"]}]
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": image.name,
                "size": len(image.manifest),
            }
        ],
    }
    blobs = {**image.blobs, image.name: image.manifest}
    places = {f"blobs/sha256/{name[7:]}": data for name, data in blobs.items()}
    return [
        tar_of({"c": config, "l": layer, "manifest.json": json.dumps(listed).encode()}),
        tar_of({"index.json": json.dumps(index).encode(), **places}),
    ]


def read_document(data: bytes) -> None:
    """Read what a registry serves as an image: one, or a list of several."""
    if is_index(data):
        choose_manifest(decode_index(data), "amd64")
    else:
        decode_manifest(data)


def documents() -> Sequence[bytes]:
    """Return a manifest and an index."""
    image = sketch(b"one")
    return [image.manifest, index_of(amd64=image, arm64=image)]


def read_login(path: Path) -> None:
    """Read a file as ``docker login`` writes it."""
    read_credentials(path, "ghcr.io")


def logins() -> Sequence[bytes]:
    """Return such files."""
    auth = base64.b64encode(b"ali:secret").decode()
    entries: list[dict[str, str]] = [{"auth": auth}, {"username": "ali", "password": "s"}, {}]
    return [json.dumps({"auths": {"ghcr.io": entry}}).encode() for entry in entries]
