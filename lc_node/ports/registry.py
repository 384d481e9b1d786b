"""Registries: servers from which images are pulled, and to which they are pushed."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.references import Reference
from lc_node.ports.images import BlobReference
from lc_node.ports.stores import BlobStore

Progress: TypeAlias = Callable[[ByteCount, ByteCount], None]
"""Told the bytes that are here and the bytes in all."""


class RegistryError(LearningChainError):
    """An image could not be had from a registry, or brought to one; what came is kept."""

    def __init__(self, host: str, why: str) -> None:
        """Name the registry and the reason."""
        super().__init__(f"{host}: {why}")
        self.host = host


class RegistryNotAllowed(RegistryError):
    """The owner of this node has not allowed to speak with a host, or with an address."""


class RegistryDenied(RegistryError):
    """The registry wants credentials, or others."""


class ImageUnknown(RegistryError):
    """The registry has no such image, or shows it to nobody without credentials."""


class RegistryBusy(RegistryError):
    """The registry takes no more requests for now (429)."""

    def __init__(self, host: str, why: str, after_seconds: int = 0) -> None:
        """Say when to come again; 0: it did not say."""
        super().__init__(host, why)
        self.after_seconds = after_seconds


class RegistryUnreachable(RegistryError):
    """The registry does not answer, breaks off, or fails itself."""


class RegistryMistaken(RegistryError):
    """The registry serves other bytes, or more of them, than a digest and a size name."""


class Registry(Protocol):
    """Speaks with registries."""

    def allows(self, host: str) -> bool:
        """Tell whether images that others name may be fetched from a registry."""
        ...

    async def resolve(self, reference: Reference, *, anonymous: bool) -> bytes:
        """Return the manifest of the image that a reference means on this machine.

        Raises:
            RegistryError: one subclass a cause.
            MalformedImage: what is there is no image, or none for this machine.
        """
        ...

    async def fetch(
        self,
        reference: Reference,
        blob: BlobReference,
        store: BlobStore,
        *,
        anonymous: bool,
        progress: Progress,
    ) -> Path:
        """Bring a blob of an image into a store, resumed where an earlier attempt ended.

        Raises:
            RegistryError: one subclass a cause.
            BlobBusy: it is on its way in already.
            BlobQuotaExceeded, StorageFull: there is no room for it.
        """
        ...

    async def push(
        self, reference: Reference, manifest: bytes, path_of: Callable[[Digest], Path]
    ) -> None:
        """Bring an image, whose blobs are in files, to a registry; what is there already is not sent.

        Raises:
            RegistryError: one subclass a cause.
        """
        ...
