"""What a download of a blob begins with, what it hears, and how it can fail."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount, Digest, PublicKey
from lc_node.oci.chunks import CHUNK_BYTES, chunk_root
from lc_node.ports.stores import Naming
from lc_node.wire.messages import Blob, Chunk, NoBlob, Part

Progress: TypeAlias = Callable[[ByteCount, ByteCount], None]
"""Called with the bytes that are here and the bytes in all."""


class BlobUnavailable(LearningChainError):
    """No peer served a blob; what has come of it is kept for a later attempt."""

    def __init__(self, digest: Digest, why: str) -> None:
        """Say which blob, and what was tried."""
        super().__init__(f"blob {digest.hex()} cannot be fetched: {why}")
        self.digest = digest
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be fetched."""

    digest: Digest
    naming: Naming
    size_max: ByteCount
    sources: tuple[PublicKey, ...] | None
    """Whom to ask; None asks every peer."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A peer has connected."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What a peer was asked for may not come."""


@dataclass(frozen=True, slots=True)
class Left:
    """A peer's connection has ended."""


Word: TypeAlias = Blob | Part | NoBlob | Joined | Interrupted | Left
News: TypeAlias = Word | Chunk


def is_plausible(offer: Blob, naming: Naming) -> bool:
    """Return whether a description can be true: as many chunks as the size needs, and the root."""
    if len(offer.chunk_digests) != -(-offer.size // CHUNK_BYTES):
        return False
    return naming is not Naming.CHUNKS or chunk_root(offer.chunk_digests) == offer.digest


def chunk_length(description: Blob, index: int) -> int:
    """Return how many bytes a chunk of a blob has."""
    return min(CHUNK_BYTES, description.size - index * CHUNK_BYTES)
