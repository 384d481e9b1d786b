"""What must survive a crash: the chain, our own votes, and blobs by their content."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lc_node.chain.types import BlockId, ByteCount, Digest, Epoch, Height, JobId, View
from lc_node.chain.votes import VoteKind


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlock:
    """A finalised block with what followed from it, all of it written in one transaction."""

    height: Height
    block_id: BlockId
    block: bytes
    certificate: bytes
    """The finalisation that covers it; empty if a later block's certificate covers it."""
    changes: Mapping[bytes, bytes | None]
    """State entries after the block: key to canonical bytes, None where the entry is gone."""
    receipts: Sequence[tuple[JobId, bytes]]
    """Events of the block, in order, each by the job it speaks of (zeros: none)."""


class ChainStore(Protocol):
    """Finalised blocks, the state after the last of them, and receipts."""

    def tip(self) -> tuple[Height, BlockId] | None:
        """Return the last finalised block's place, None on an empty store."""
        ...

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every state entry after the tip, sorted by key."""
        ...

    def append(self, stored: StoredBlock) -> None:
        """Write a block and its consequences atomically; idempotent by height, refuses a gap."""
        ...

    def block_at(self, height: Height) -> bytes | None:
        """Return the finalised block at a height."""
        ...

    def certificate_at(self, height: Height) -> bytes | None:
        """Return the finalisation stored with the block at a height, None if it has none."""
        ...

    def receipts_of(self, job: JobId) -> Sequence[tuple[Height, bytes]]:
        """Return a job's events in chain order."""
        ...


class VoteStore(Protocol):
    """What we signed and saw in consensus. Every ``put`` is durable (fsync) when it returns."""

    def put_vote(
        self, *, epoch: Epoch, view: View, kind: VoteKind, vote: bytes, certificate: bytes
    ) -> None:
        """Record our vote, with the certificate it rests on (may be empty).

        Raises:
            ConflictingVote: another vote of this epoch, view and kind is already there.
        """
        ...

    def put_certificate(self, *, epoch: Epoch, view: View, kind: VoteKind, data: bytes) -> None:
        """Record an adopted certificate."""
        ...

    def put_block(self, *, epoch: Epoch, view: View, block_id: BlockId, data: bytes) -> None:
        """Record a block body that we proposed or voted for."""
        ...

    def votes(self, epoch: Epoch) -> Sequence[tuple[bytes, bytes]]:
        """Return our votes of an epoch with their certificates, in the order signed."""
        ...

    def certificates(self, epoch: Epoch) -> Sequence[bytes]:
        """Return the epoch's certificates by view."""
        ...

    def blocks(self, epoch: Epoch) -> Sequence[bytes]:
        """Return the epoch's unfinalised block bodies by view."""
        ...

    def prune(self, *, epoch: Epoch, below: View) -> None:
        """Forget certificates and bodies below a finalised view; votes of the epoch are kept."""
        ...


class Naming(StrEnum):
    """How a blob's name follows from its content."""

    SHA256 = "sha256"
    """SHA-256 of the whole: what OCI images use."""
    CHUNKS = "chunks"
    """Root over the chunks (lc_node.oci.chunks): what models use."""


class BlobStore(Protocol):
    """Files named by their content: image manifests, configs, layers, models."""

    def path_of(self, digest: Digest) -> Path | None:
        """Return where a complete, verified blob lies, None if we lack it."""
        ...

    def put_bytes(self, data: bytes) -> Digest:
        """Store a small blob."""
        ...

    def put_file(self, path: Path, naming: Naming) -> tuple[Digest, ByteCount]:
        """Store a copy of a file."""
        ...

    def partial(self, digest: Digest, size: ByteCount, naming: Naming) -> "PartialBlob":
        """Open a download, resumed where an earlier one ended."""
        ...


class PartialBlob(Protocol):
    """A blob on its way in: chunks in order, verified as a whole at the end."""

    @property
    def offset(self) -> ByteCount:
        """How many bytes are already here."""
        ...

    def write(self, data: bytes) -> None:
        """Append the next bytes."""
        ...

    def finish(self) -> Path:
        """Verify the digest and publish the blob; on a mismatch delete it and raise."""
        ...

    def close(self) -> None:
        """Stop for now; what is here stays for a later resume."""
        ...
