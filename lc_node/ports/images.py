"""Images as the node keeps them: verified blobs, unpacked once, run many times."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount, Digest


class ImageRefused(LearningChainError):
    """An image is malformed, hostile, or larger than allowed; the message says which rule it broke."""


class BlobPlaces(Protocol):
    """Verified blobs as files: all that is needed to read an image."""

    def path_of(self, digest: Digest) -> Path | None:
        """Return where a complete, verified blob lies, None if we lack it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobReference:
    """A blob that an image consists of."""

    digest: Digest
    size: ByteCount


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class PreparedImage:
    """An unpacked image, ready to run; it stays unpacked for as long as somebody holds this."""

    rootfs: Path
    argv: tuple[str, ...]
    """Entrypoint and command of its configuration; what else a contract says follows."""
    environment: Mapping[str, str]
    manifest: Digest | None = None
    """What names it; None for one that was never packed."""
    working_folder: str = "/"
    """Of its configuration too; contract lc/1 has its own."""


class ImageStore(Protocol):
    """Turns the blobs of an image into a root file system, safely."""

    def blobs_of(self, manifest: Digest) -> tuple[BlobReference, ...]:
        """Return config and layers of a manifest that the blob store holds.

        Raises:
            ImageRefused: the manifest is malformed or breaks a limit.
        """
        ...

    async def prepare(self, manifest: Digest) -> PreparedImage:
        """Unpack (once) and return the image, whose blobs must all be in the blob store.

        Raises:
            ImageRefused: a layer is malformed, hostile, or over a limit.
        """
        ...

    async def forget(self, manifest: Digest) -> None:
        """Remove what was unpacked of an image, unless somebody holds it."""
        ...
