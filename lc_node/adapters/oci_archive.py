"""Images in files of other programs: OCI layouts, OCI archives, and archives of ``docker save``.

Nothing in them is believed: names of images only say which one is meant, names of members lead nowhere but to other
members, and each blob is known by the digest of its bytes.
"""

import hashlib
import os
import posixpath
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Protocol, cast

import msgspec

from lc_node.adapters.tar_entries import Entry, Kind, Refused, TarReader
from lc_node.oci.manifest import (
    CONFIG_BYTES_MAX,
    CONFIG_TYPE,
    GZIP_LAYER_TYPE,
    LAYER_TYPE,
    LAYERS_MAX,
    MANIFEST_BYTES_MAX,
    BlobName,
    ConfigDescriptor,
    Descriptor,
    LayerDescriptor,
    MalformedImage,
    Manifest,
    blob_name,
    decode_config,
    decode_index,
    decode_manifest,
    encode,
    validate_image,
)
from lc_node.oci.platforms import INDEX_TYPES, architecture_of, choose_manifest
from lc_node.ports.images import ImageRefused

MEMBERS_MAX: Final = 10_000
"""Of an archive; an image has at most 64 layers, and a few documents beside them."""

_NESTED_MAX: Final = 3  # indexes within indexes
_READ_BYTES: Final = 1024 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_REF_NAME: Final = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME: Final = "io.containerd.image.name"
_REGULAR: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_Name = Annotated[str, msgspec.Meta(max_length=1024)]


class _DockerImage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An image in the ``manifest.json`` that ``docker save`` writes."""

    config: _Name
    layers: Annotated[tuple[_Name, ...], msgspec.Meta(min_length=1, max_length=LAYERS_MAX)]
    repo_tags: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=256)] | None = None


_DOCKER_IMAGES: Final = Annotated[tuple[_DockerImage, ...], msgspec.Meta(max_length=256)]


class Members(Protocol):
    """Regular files by their names, of a folder or an archive."""

    def has(self, name: str) -> bool:
        """Return whether there is such a file."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open a file; it can seek.

        Raises:
            ImageRefused: there is none.
        """
        ...

    def size(self, name: str) -> int:
        """Return how many bytes a file has."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedImage:
    """One image in a file: its documents, and where its blobs are."""

    calls_itself: tuple[str, ...]
    """How the file names it; for the owner's eyes."""
    manifest: bytes
    document: Manifest
    open: Callable[[BlobName], BinaryIO]
    """Opens config or layer; the bytes are still to be checked."""

    @property
    def digest(self) -> BlobName:
        """The image's identity."""
        return blob_name(self.manifest)


@contextmanager
def open_archive(path: Path) -> Iterator[Members]:
    """Open a folder with an OCI layout, or an archive, for as long as the body runs.

    Raises:
        ImageRefused: it is neither.
    """
    if path.is_dir():
        yield _Folder(path)
        return
    with path.open("rb") as file:
        if file.read(2) == _GZIP_MAGIC:
            raise ImageRefused(f"{path} is compressed; `gunzip` it first")
        file.seek(0)
        try:
            members = _Archive(file)
        except Refused as error:
            raise ImageRefused(
                f"{path} is not an image archive ({error}): name one of `docker save`, or an OCI layout"
            ) from error
        yield members


def read_images(members: Members, machine: str) -> tuple[ArchivedImage, ...]:
    """Return the images of a file that run on a machine, each once.

    Raises:
        ImageRefused: it holds none, or what it holds is malformed.
    """
    try:
        if members.has("index.json"):
            return tuple(_of_layout(members, architecture_of(machine)))
        if members.has("manifest.json"):
            return tuple(_of_docker(members))
    except MalformedImage as error:
        raise ImageRefused(str(error)) from error
    message = (
        "it is no image, for there is neither an index.json nor a manifest.json in it: "
        "name an OCI layout, or an archive of `docker save`"
    )
    raise ImageRefused(message)


def _of_layout(members: Members, architecture: str) -> Iterator[ArchivedImage]:
    tops: dict[BlobName, Descriptor] = {}
    for top in decode_index(_read(members, "index.json", MANIFEST_BYTES_MAX)).manifests:
        tops.setdefault(top.digest, top)
    for top in tops.values():
        manifest = _manifest_below(members, top, architecture)
        document = decode_manifest(manifest)
        config = decode_config(_blob(members, document.config.digest, CONFIG_BYTES_MAX))
        validate_image(document, config)
        notes = top.annotations or {}
        names = {notes.get(key, "") for key in (_REF_NAME, _CONTAINERD_NAME)} - {""}
        yield ArchivedImage(
            calls_itself=tuple(sorted(names)),
            manifest=manifest,
            document=document,
            open=lambda name: members.open(_place(name)),
        )


def _manifest_below(members: Members, top: Descriptor, architecture: str) -> bytes:
    """Return the manifest that a descriptor leads to, through indexes of platforms."""
    descriptor = top
    for _ in range(_NESTED_MAX):
        data = _blob(members, descriptor.digest, MANIFEST_BYTES_MAX)
        if descriptor.media_type not in INDEX_TYPES:
            return data
        descriptor = choose_manifest(decode_index(data), architecture)
    raise ImageRefused(f"indexes within indexes, {_NESTED_MAX} deep")


def _of_docker(members: Members) -> Iterator[ArchivedImage]:
    data = _read(members, "manifest.json", MANIFEST_BYTES_MAX)
    try:
        images = msgspec.json.decode(data, type=_DOCKER_IMAGES)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedImage("manifest.json", str(error)) from error
    for image in images:
        yield _docker_image(members, image)


def _docker_image(members: Members, image: _DockerImage) -> ArchivedImage:
    """Return an image of ``docker save``, with the manifest that it lacks."""
    config = _read(members, image.config, CONFIG_BYTES_MAX)
    diff_ids = decode_config(config).rootfs.diff_ids
    layers = tuple(_layer(members, name) for name in image.layers)
    places = dict(zip((layer.digest for layer in layers), image.layers, strict=True))
    places[blob_name(config)] = image.config
    document = Manifest(
        schema_version=2,
        config=ConfigDescriptor(
            media_type=CONFIG_TYPE, digest=blob_name(config), size=len(config)
        ),
        layers=layers,
    )
    validate_image(document, decode_config(config))
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        if layer.media_type == LAYER_TYPE and layer.digest != diff_id:
            raise ImageRefused(f"a layer is not {diff_id}, as its configuration says")
    return ArchivedImage(
        calls_itself=image.repo_tags or (),
        manifest=encode(document),
        document=document,
        open=lambda name: members.open(places[name]),
    )


def _layer(members: Members, name: str) -> LayerDescriptor:
    """Return a layer as its bytes are; reads all of them."""
    digest = hashlib.sha256()
    with members.open(name) as file:
        first = file.read(_READ_BYTES)
        piece = first
        while piece:
            digest.update(piece)
            piece = file.read(_READ_BYTES)
    return LayerDescriptor(
        media_type=GZIP_LAYER_TYPE if first.startswith(_GZIP_MAGIC) else LAYER_TYPE,
        digest=f"sha256:{digest.hexdigest()}",
        size=members.size(name),
    )


def _blob(members: Members, name: BlobName, bytes_max: int) -> bytes:
    """Read a small blob of a layout and check it."""
    data = _read(members, _place(name), bytes_max)
    if blob_name(data) != name:
        raise ImageRefused(f"the file of {name} has other bytes")
    return data


def _read(members: Members, name: str, bytes_max: int) -> bytes:
    with members.open(name) as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise ImageRefused(f"{name} has more than {bytes_max} bytes")
    return data


def _place(name: BlobName) -> str:
    return f"blobs/sha256/{name.removeprefix('sha256:')}"


class _Folder:
    """A layout in a folder; nothing outside of it is read, whatever links say."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def has(self, name: str) -> bool:
        return (self._root / name).is_file()

    def open(self, name: str) -> BinaryIO:
        path = self._root / name
        try:
            if not path.resolve().is_relative_to(self._root):
                raise ImageRefused(f"{name} lies outside of the folder")
            descriptor = os.open(path, _REGULAR)
        except OSError as error:
            raise ImageRefused(f"{name} is missing, or no regular file") from error
        file = open(descriptor, "rb")  # noqa: PTH123, SIM115  # a descriptor, closed by the caller
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise ImageRefused(f"{name} is no regular file")
        return file

    def size(self, name: str) -> int:
        return (self._root / name).stat().st_size


class _Archive:
    """The files of a tar, found in one pass and read where they lie."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        for count, entry in enumerate(TarReader(file.read).entries()):
            if count >= MEMBERS_MAX:
                raise Refused(f"more than {MEMBERS_MAX} members")
            self._note(entry, file.tell())

    def has(self, name: str) -> bool:
        return self._target(name) in self._places

    def open(self, name: str) -> BinaryIO:
        if (place := self._places.get(self._target(name))) is None:
            raise ImageRefused(f"{name} is missing")
        return cast("BinaryIO", _Section(self._file, *place))

    def size(self, name: str) -> int:
        return self._places[self._target(name)][1]

    def _note(self, entry: Entry, offset: int) -> None:
        name = _text(b"/".join(entry.parts))
        if entry.kind is Kind.FILE:
            self._places.setdefault(name, (offset, entry.size))
        elif entry.kind in {Kind.SYMBOLIC_LINK, Kind.HARD_LINK}:
            link = _text(entry.link)
            at = posixpath.dirname(name) if entry.kind is Kind.SYMBOLIC_LINK else ""
            self._links.setdefault(name, posixpath.normpath(posixpath.join(at, link)))

    def _target(self, name: str) -> str:
        """Follow one link, as older archives have them for layers that occur twice."""
        plain = posixpath.normpath(name)
        return self._links.get(plain, plain)


class _Section(RawIOBase):
    """A part of a file, as a file."""

    def __init__(self, file: BinaryIO, offset: int, size: int) -> None:
        self._file = file
        self._offset = offset
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        assert whence == os.SEEK_SET, "nobody seeks otherwise"
        self._at = offset
        return offset

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed names it by a private protocol
        count = max(0, min(len(buffer), self._size - self._at))
        self._file.seek(self._offset + self._at)
        data = self._file.read(count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
