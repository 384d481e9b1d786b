"""Images on the command line: found by what people write, put into the node, read out of it."""

import difflib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Final, cast

import click

from lc_node.api import calls
from lc_node.api.client import Client, UnknownThing
from lc_node.api.schema import CHUNK_BYTES_MAX, Digest
from lc_node.api.schema_images import ImageView
from lc_node.api.uploading import put_blob
from lc_node.oci.manifest import BlobName, MalformedImage, decode_manifest
from lc_node.runtime.image_files import ArchivedImage

_DIGITS: Final = frozenset("0123456789abcdef")
_DIGITS_MIN: Final = 6
_DIGITS_MAX: Final = 64
_PREFIX: Final = "sha256:"
_PATH_STARTS: Final = ("/", "./", "../", "~")
_FILE_ENDS: Final = (".tar", ".tgz", ".tar.gz", ".oci")

Progress = Callable[[int, int], None]
"""Told bytes sent and bytes in all."""


def find_image(client: Client, text: str) -> ImageView:
    """Return the image of a name, of a digest, or of the beginning of one, as ``lc-node image list`` shows them.

    Raises:
        UnknownThing: there is none, or several begin so; the message names what was perhaps meant.
    """
    images = client.call(calls.GetImages())
    found = [image for image in images if text in image.names]
    digits = text.removeprefix(_PREFIX).lower()
    if not found and _DIGITS_MIN <= len(digits) <= _DIGITS_MAX and not set(digits) - _DIGITS:
        found = [image for image in images if image.image.startswith(digits)]
        if (
            not found
            and len(digits) == _DIGITS_MAX
            and not client.call(calls.MissingBlobs(digests=(Digest(digits),)))
        ):
            return _view_of(client, Digest(digits))
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownThing("UnknownImage", f"Several images begin with {text}; write more digits.")
    close = difflib.get_close_matches(
        text, [name for image in images for name in image.names], n=1
    )
    hint = f"did you mean {close[0]}?" if close else "`lc-node image list` shows those that are."
    raise UnknownThing("UnknownImage", f"No image {text!r} in this node; {hint}")


def put_image(
    client: Client, image: ArchivedImage, progress: Progress = lambda _sent, _all: None
) -> Digest:
    """Put what the node lacks of an image into it and return its digest; the node checks each blob."""
    sizes = {layer.digest: layer.size for layer in image.document.layers}
    sizes[image.document.config.digest] = image.document.config.size
    names = {_hex(name): name for name in sizes}
    missing = client.call(calls.MissingBlobs(digests=tuple(names)))
    whole, sent = sum(sizes[names[digest]] for digest in missing), 0
    for digest in missing:
        size = sizes[names[digest]]
        with image.open(names[digest]) as source:
            on_progress = _after(sent, whole, progress)
            put_blob(client, source, digest=digest, size=size, on_progress=on_progress)
        sent += size
    manifest = _hex(image.digest)
    put_blob(client, BytesIO(image.manifest), digest=manifest, size=len(image.manifest))
    return manifest


def read_blob(client: Client, digest: Digest) -> bytes:
    """Return a small blob of the node."""
    with open_blob(client, digest) as file:
        return file.read()


def open_blob(client: Client, digest: Digest) -> BinaryIO:
    """Return a blob of the node as a temporary file.

    Raises:
        UnknownThing: the node does not hold it.
    """
    file = SpooledTemporaryFile(CHUNK_BYTES_MAX)  # noqa: SIM115  # the caller closes it
    while data := client.call(
        calls.ReadBlob(digest=digest, offset=file.tell(), length=CHUNK_BYTES_MAX)
    ):
        file.write(data)
    file.seek(0)
    return cast("BinaryIO", file)


def pulling_text(image: ImageView) -> str:
    """Return how far an image is that comes from a registry: ``pulling 42 %``."""
    here = image.total_bytes - image.missing_bytes
    return f"pulling {100 * here // max(1, image.total_bytes)} %"


def is_registry_name(text: str) -> bool:
    """Tell whether a text is meant as an image in a registry, rather than as a word or a digest of this node."""
    return (
        not text.startswith(_PREFIX)
        and not _DIGITS.issuperset(text)
        and not {"/", ":"}.isdisjoint(text)
    )


def is_file(text: str) -> bool:
    """Tell whether an image is given by a file or a folder.

    Raises:
        click.UsageError: a file can be meant, and there is none.
    """
    is_there = Path(text).exists()
    if not is_there and (text.startswith(_PATH_STARTS) or text.endswith(_FILE_ENDS)):
        message = f"There is no file {text}."
        raise click.UsageError(message)
    return is_there


def _view_of(client: Client, image: Digest) -> ImageView:
    """Return what is known of an image that is neither kept nor a job's."""
    try:
        document = decode_manifest(read_blob(client, image))
    except MalformedImage as error:
        raise UnknownThing("UnknownImage", f"{image[:12]} is no image: {error}") from error
    sizes = {layer.digest: layer.size for layer in document.layers}
    whole = sum(sizes.values()) + document.config.size
    return ImageView(image=image, layers=len(sizes), total_bytes=whole)


def _after(sent: int, whole: int, progress: Progress) -> Callable[[int], None]:
    """Return a progress of one blob that tells of all: ``sent`` bytes came before it."""
    return lambda held: progress(sent + held, whole)


def _hex(name: BlobName) -> Digest:
    return Digest(name.removeprefix(_PREFIX))
