"""The JSON documents of an OCI image: read with limits from strangers, written in one way only.

After opencontainers/image-spec 1.1: ``manifest.md``, ``config.md``, ``descriptor.md``, ``image-index.md``.
Docker's own names for the same documents are read too, never written.
"""

import hashlib
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE: Final = "application/vnd.oci.image.config.v1+json"
INDEX_TYPE: Final = "application/vnd.oci.image.index.v1+json"
LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar"
GZIP_LAYER_TYPE: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST_TYPE: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX_TYPE: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG_TYPE: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_TYPE: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
GZIP_TYPES: Final = frozenset({GZIP_LAYER_TYPE, DOCKER_LAYER_TYPE})

MANIFEST_BYTES_MAX: Final = 1024 * 1024
CONFIG_BYTES_MAX: Final = 1024 * 1024
LAYERS_MAX: Final = 64
"""Engines stop at about 125 layers; ours need fewer than 64."""

EPOCH: Final = "1970-01-01T00:00:00Z"
"""The only time that we write: a snapshot's bytes do not depend on when it was taken."""

BlobName: TypeAlias = Annotated[str, Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]
BlobSize: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 40)]
Text: TypeAlias = Annotated[str, Meta(max_length=64 * 1024, pattern=r"\A[^\x00]*\Z")]
Path: TypeAlias = Annotated[str, Meta(max_length=4096, pattern=r"\A[^\x00]*\Z")]
Variable: TypeAlias = Annotated[str, Meta(max_length=64 * 1024, pattern=r"\A[^=\x00]+=[^\x00]*\Z")]
Words: TypeAlias = Annotated[tuple[Text, ...], Meta(max_length=1024)]
Annotations: TypeAlias = Annotated[dict[Text, Text], Meta(max_length=256)]


class MalformedImage(ValueError):
    """A document of an image breaks the specification or one of our limits.

    Whoever made or served the image is at fault; ``what`` names the document, ``why`` the rule.
    """

    def __init__(self, what: str, why: str) -> None:
        """Name the document and what is wrong with it."""
        super().__init__(f"malformed image {what}: {why}")
        self.what = what
        self.why = why


class Platform(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The machine that an image of an index is for."""

    architecture: Path
    os: Path
    variant: Path = ""


class Descriptor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A blob by its type, digest and size."""

    media_type: Path
    digest: BlobName
    size: BlobSize
    annotations: Annotations | None = None
    platform: Platform | None = None


class LayerDescriptor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A layer's blob; only the types that we can unpack decode."""

    media_type: Literal[
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ]
    digest: BlobName
    size: BlobSize
    annotations: Annotations | None = None


class ConfigDescriptor(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The blob of an image's configuration."""

    media_type: Literal[
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ]
    digest: BlobName
    size: Annotated[int, Meta(ge=0, le=CONFIG_BYTES_MAX)]


class Manifest(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """An image: its configuration and its layers, lowest first. Its digest is the image's identity."""

    schema_version: Literal[2]
    config: ConfigDescriptor
    layers: Annotated[tuple[LayerDescriptor, ...], Meta(min_length=1, max_length=LAYERS_MAX)]
    media_type: (
        Literal[
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
        ]
        | UnsetType
    ) = UNSET
    annotations: Annotations | None = None


class Index(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Manifests under one name, one a platform."""

    schema_version: Literal[2]
    manifests: Annotated[tuple[Descriptor, ...], Meta(max_length=256)]
    media_type: (
        Literal[
            "application/vnd.oci.image.index.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
        ]
        | UnsetType
    ) = UNSET


class RunConfig(Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """How to start the image. What the sandbox decides itself (user, ports, health check) is not read."""

    user: Path = ""
    env: Annotated[tuple[Variable, ...], Meta(max_length=1024)] | None = None
    entrypoint: Words | None = None
    cmd: Words | None = None
    working_dir: Path = ""
    volumes: Annotated[dict[Path, dict[str, str]], Meta(max_length=64)] | None = None
    labels: Annotations | None = None


class RootFs(Struct, frozen=True, kw_only=True):
    """The digests of the uncompressed layers, lowest first."""

    type: Literal["layers"]
    diff_ids: Annotated[tuple[BlobName, ...], Meta(min_length=1, max_length=LAYERS_MAX)]


class History(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line on how a layer came to be."""

    created: Text = ""
    created_by: Text = ""
    comment: Text = ""
    empty_layer: bool = False


class ImageConfig(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image's platform, start and uncompressed layers."""

    architecture: Path
    os: Literal["linux"]
    rootfs: RootFs
    config: RunConfig | None = None
    created: Text = ""
    history: Annotated[tuple[History, ...], Meta(max_length=512)] | None = None

    @property
    def argv(self) -> tuple[str, ...]:
        """Entrypoint and command, to which the contract's argument is added; may be empty."""
        run = self.config or RunConfig()
        return (run.entrypoint or ()) + (run.cmd or ())

    @property
    def working_folder(self) -> str:
        """Where the image asks to be started; / if it does not say."""
        return (self.config and self.config.working_dir) or "/"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image asks for; of a name said twice the last one counts."""
        pairs = (self.config and self.config.env) or ()
        return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}


Document = TypeVar("Document", Manifest, ImageConfig, Index)


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        MalformedImage: not JSON, not a manifest, a type that we do not unpack, or over a limit.
    """
    return _decode(data, Manifest, "manifest", MANIFEST_BYTES_MAX)


def decode_config(data: bytes) -> ImageConfig:
    """Read an image's configuration.

    Raises:
        MalformedImage: not JSON, not a configuration for Linux, or over a limit.
    """
    return _decode(data, ImageConfig, "config", CONFIG_BYTES_MAX)


def decode_index(data: bytes) -> Index:
    """Read an index.

    Raises:
        MalformedImage: not JSON, not an index, or over a limit.
    """
    return _decode(data, Index, "index", MANIFEST_BYTES_MAX)


def validate_image(manifest: Manifest, config: ImageConfig) -> None:
    """Refuse a configuration that does not belong to the manifest.

    Raises:
        MalformedImage: the two name different numbers of layers.
    """
    named, listed = len(config.rootfs.diff_ids), len(manifest.layers)
    if named != listed:
        raise MalformedImage("config", f"{named} diff_ids for {listed} layers")


def encode(document: Manifest | ImageConfig | Index) -> bytes:
    """Write a document in the one form that we write: sorted keys, no spaces, no absent fields."""
    return msgspec.json.encode(document, order="sorted")


def blob_name(data: bytes) -> BlobName:
    """Return the name of a small blob: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _decode(data: bytes, kind: type[Document], what: str, bytes_max: int) -> Document:
    if len(data) > bytes_max:
        raise MalformedImage(what, f"{len(data)} bytes, at most {bytes_max} are allowed")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedImage(what, str(error)) from error
