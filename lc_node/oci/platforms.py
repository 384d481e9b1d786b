"""Which image of an index is for a machine."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from lc_node.oci.manifest import (
    DOCKER_INDEX_TYPE,
    DOCKER_MANIFEST_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
    Descriptor,
    Index,
    MalformedImage,
)

MANIFEST_TYPES: Final = frozenset({MANIFEST_TYPE, DOCKER_MANIFEST_TYPE})
INDEX_TYPES: Final = frozenset({INDEX_TYPE, DOCKER_INDEX_TYPE})

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_SHOWN_MAX: Final = 8


def architecture_of(machine: str) -> str:
    """Return what images call an architecture that the kernel calls ``machine``."""
    return _ARCHITECTURES.get(machine, machine)


class _Kind(msgspec.Struct, frozen=True):
    """What tells an index from a manifest."""

    manifests: msgspec.Raw | UnsetType = UNSET
    layers: msgspec.Raw | UnsetType = UNSET


def is_index(data: bytes) -> bool:
    """Tell whether a document lists images of several platforms, rather than being one image's manifest.

    By what is in it, not by the type that a server gives it: a document that could be read as both must not mean
    two things (CVE-2021-41190).

    Raises:
        MalformedImage: it is neither, or both.
    """
    try:
        kind = msgspec.json.decode(data, type=_Kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedImage("manifest", str(error)) from error
    if (kind.manifests is UNSET) == (kind.layers is UNSET):
        raise MalformedImage("manifest", "it has neither layers nor manifests, or both")
    return kind.manifests is not UNSET


def choose_manifest(index: Index, architecture: str) -> Descriptor:
    """Return the first image of an index that runs on Linux on an architecture.

    An index of one image that names no platform has only that one; what is no image (signatures,
    attestations, whose platform is ``unknown``) is passed over, image-spec ``image-index.md``.

    Raises:
        MalformedImage: there is none; the message names those that there are.
    """
    images = [each for each in index.manifests if each.media_type in MANIFEST_TYPES | INDEX_TYPES]
    for each in images:
        platform = each.platform
        if platform and (platform.os, platform.architecture) == ("linux", architecture):
            return each
    if len(images) == 1 and images[0].platform is None:
        return images[0]
    found = sorted(
        {f"{each.platform.os}/{each.platform.architecture}" for each in images if each.platform}
    )
    listed = ", ".join(found[:_SHOWN_MAX]) or "none that names its platform"
    raise MalformedImage("index", f"no image for linux/{architecture}; there is {listed}")
