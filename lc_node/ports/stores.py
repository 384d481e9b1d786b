"""What must survive a crash: the chain, our own votes, and blobs by their content."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import BlockId, ByteCount, Digest, Epoch, Height, JobId, View
from lc_node.chain.votes import VoteKind


class StorageFull(LearningChainError):
    """The disk has no room left; nothing of the failed write was kept."""

    def __init__(self, path: Path) -> None:
        """Name the file that could not grow."""
        super().__init__(
            f"No space left to write {path}. Free some on that disk, or lower `blobs_bytes_max` in "
            "config.toml (blobs can be fetched again), then start the node again."
        )
        self.path = path


class StorageBroken(LearningChainError):
    """A store is damaged, of another chain, or of a newer version; the message names the remedy."""


class GapInChain(LearningChainError):
    """A block does not follow the stored tip: our own mistake, or another block was final there."""


class ConflictingVote(LearningChainError):
    """Two different votes of ours in one epoch, view and kind: the second must never be sent."""

    def __init__(self, *, epoch: Epoch, view: View, kind: VoteKind) -> None:
        """Say where we have voted already."""
        super().__init__(
            f"a different {kind.name} of epoch {epoch}, view {view} is signed already; "
            "does a second node run with this key?"
        )
        self.epoch = epoch
        self.view = view
        self.kind = kind


class NodeAlreadyRunning(LearningChainError):
    """Another process holds this home; two nodes with one key would be punished as a liar."""

    def __init__(self, path: Path, pid: int | None) -> None:
        """Name the lock and, if known, the process that holds it."""
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{holder} already runs the node of {path.parent}; stop it first.")
        self.path = path
        self.pid = pid


class BlobCorrupt(LearningChainError):
    """Bytes do not have the digest they were asked for under; they were deleted."""

    def __init__(self, digest: Digest) -> None:
        """Name the blob that was expected."""
        super().__init__(f"the bytes are not blob {digest.hex()}; fetch it from another source")
        self.digest = digest


class BlobIncomplete(LearningChainError):
    """A blob was declared finished before its last byte came; what came stays."""

    def __init__(self, digest: Digest, *, offset: ByteCount, size: ByteCount) -> None:
        """Name the blob, what came and what was announced."""
        super().__init__(f"blob {digest.hex()} has {offset} of {size} bytes; send the rest first")
        self.digest = digest
        self.offset = offset


class BlobBusy(LearningChainError):
    """Somebody else is writing this very blob; wait for it, then ask for its path."""

    def __init__(self, digest: Digest) -> None:
        """Name the blob."""
        super().__init__(f"blob {digest.hex()} is on its way in already; wait for it")
        self.digest = digest


class BlobQuotaExceeded(LearningChainError):
    """A blob does not fit beside those that are in use."""

    def __init__(self, *, size: ByteCount, bytes_max: ByteCount) -> None:
        """Say what was wanted and what there is."""
        super().__init__(
            f"{size} bytes do not fit: the store may hold {bytes_max} and what is in it is in use; "
            "raise `blobs_bytes_max` in config.toml"
        )
        self.size = size
        self.bytes_max = bytes_max


class DiskReserved(LearningChainError):
    """A blob would take the room on the disk that chain and votes need."""

    def __init__(self, folder: Path, *, size: ByteCount, reserve: ByteCount) -> None:
        """Say where, what was wanted and what must stay."""
        super().__init__(
            f"{size} more bytes in {folder} would leave less than {reserve} free on that disk: make room there, "
            "or lower `disk_reserve_bytes` in config.toml"
        )
        self.size = size
        self.reserve = reserve


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
    epoch_end: tuple[Epoch, bytes] | None = None
    """Of an epoch's last block: which epoch ended, and the proof of it; kept when the block is not."""


class ChainStore(Protocol):
    """Finalised blocks, the state after the last of them, and receipts."""

    def tip(self) -> tuple[Height, BlockId] | None:
        """Return the last finalised block's place, None on an empty store."""
        ...

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every state entry after the tip, sorted by key."""
        ...

    def append(self, stored: StoredBlock) -> None:
        """Write a block and its consequences atomically; idempotent by height.

        The first block of an empty store has height 0: genesis, whose changes are the whole state.

        Raises:
            GapInChain: it neither follows the tip nor is already here.
            StorageFull: the disk has no room; the tip is unchanged.
        """
        ...

    def adopt(self, stored: StoredBlock, proofs: Iterable[tuple[Epoch, bytes]]) -> None:
        """Replace all but genesis and the ends of epochs by a snapshot, and add ends of epochs.

        Args:
            stored: a certified block whose changes are the whole state.
            proofs: how epochs ended up to that block.

        Raises:
            StorageFull: the disk has no room; nothing is changed.
        """
        ...

    def put_epoch(self, epoch: Epoch, proof: bytes) -> None:
        """Keep how an epoch ended, for ever: it is the way of newcomers and light clients.

        Raises:
            StorageFull: the disk has no room.
        """
        ...

    def epoch_at(self, epoch: Epoch) -> bytes | None:
        """Return how an epoch ended, None if it has not, or is not known."""
        ...

    def first(self) -> Height:
        """Return the lowest height from which on every block is kept; genesis always is."""
        ...

    def prune(self, *, blocks_below: Height, receipts_below: Height) -> None:
        """Delete blocks, and receipts of deleted blocks, below these heights; a bounded part at a time.

        Their room in the file is used again.
        """
        ...

    def secure(self) -> None:
        """Make all that was appended survive a power cut, which a commit alone need not.

        Raises:
            StorageFull: the disk has no room.
        """
        ...

    def block_at(self, height: Height) -> bytes | None:
        """Return the finalised block at a height."""
        ...

    def height_of(self, block_id: BlockId) -> Height | None:
        """Return where a finalised block stands, None if it is not in this chain or not kept."""
        ...

    def certificate_at(self, height: Height) -> bytes | None:
        """Return the finalisation stored with the block at a height, None if it has none."""
        ...

    def receipts_of(self, job: JobId) -> Sequence[tuple[Height, bytes]]:
        """Return a job's events in chain order."""
        ...

    def receipts_at(self, height: Height) -> Sequence[tuple[JobId, bytes]]:
        """Return a block's events in order."""
        ...

    def close(self) -> None:
        """Let go of the files."""
        ...


class VoteStore(Protocol):
    """What we signed and saw in consensus.

    Every ``put`` is durable (fsync) when it returns; inside ``batch`` all become durable together when
    the batch ends, so that a body, a certificate and the vote on them cost one fsync.
    """

    def batch(self) -> AbstractContextManager[None]:
        """Group puts into one commit; if it raises, none of them happened."""
        ...

    def put_vote(
        self, *, epoch: Epoch, view: View, kind: VoteKind, vote: bytes, certificate: bytes
    ) -> None:
        """Record our vote, with the certificate it rests on (may be empty).

        Putting the same vote again changes nothing.

        Raises:
            ConflictingVote: another vote of this epoch, view and kind is already there.
            StorageFull: the disk has no room; the vote must not be sent.
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

    def signs_from(self) -> Epoch:
        """Return the first epoch in which we may sign: of those before it our record may be lost."""
        ...

    def sign_from(self, epoch: Epoch) -> None:
        """Sign nothing in the epochs before this one from now on; durable, and never taken back."""
        ...

    def has_finalized(self) -> bool:
        """Return whether a FINALIZE of ours is recorded: who is left behind signs none, but may sign others."""
        ...

    def prune(self, *, epoch: Epoch, below: View) -> None:
        """Archive certificates below a finalised view, forget bodies, and votes and archives long past.

        Votes of the thousands of views below it, and of the epoch before, are kept: after a power cut the
        chain store may have to catch up again, over blocks that we have voted for.
        """
        ...

    def close(self) -> None:
        """Let go of the files and of the lock."""
        ...


class Naming(StrEnum):
    """How a blob's name follows from its content."""

    SHA256 = "sha256"
    """SHA-256 of the whole: what OCI images use."""
    CHUNKS = "chunks"
    """Root over the chunks (lc_node.oci.chunks): what models use."""


class BlobStore(Protocol):
    """Files named by their content: image manifests, configs, layers, models.

    The least recently used go first when the store is full, never a pinned one.
    """

    def path_of(self, digest: Digest) -> Path | None:
        """Return where a complete, verified blob lies, None if we lack it; counts as a use."""
        ...

    def put_bytes(self, data: bytes) -> Digest:
        """Store a small blob under its SHA-256.

        Raises:
            StorageFull, BlobQuotaExceeded, DiskReserved: there is no room.
        """
        ...

    def put_file(self, path: Path, naming: Naming) -> tuple[Digest, ByteCount]:
        """Store a copy of a file; blocks for as long as reading it takes.

        Raises:
            StorageFull, BlobQuotaExceeded, DiskReserved: there is no room.
        """
        ...

    def partial(self, digest: Digest, size: ByteCount, naming: Naming) -> "PartialBlob":
        """Open a download, resumed where an earlier one ended; reserves its room.

        Raises:
            BlobBusy: it is open already.
            BlobQuotaExceeded, DiskReserved: there is no room.
        """
        ...

    def verify(self, digest: Digest, naming: Naming) -> bool:
        """Read a blob again; one that has rotted is removed and reported as absent."""
        ...

    def pin(self, digest: Digest) -> None:
        """Keep a blob, present or yet to come, until as many ``unpin`` calls; lost at restart."""
        ...

    def unpin(self, digest: Digest) -> None:
        """Allow a blob to be evicted again."""
        ...

    def holds(self, digest: Digest) -> bool:
        """Tell whether a blob is here and whole; unlike ``path_of`` that is no use of it."""
        ...

    def remove(self, digest: Digest) -> ByteCount:
        """Delete a blob unless it is pinned; return how many bytes that has freed."""
        ...

    @property
    def used(self) -> ByteCount:
        """Bytes of complete and partial blobs."""
        ...


class PartialBlob(Protocol):
    """A blob on its way in: bytes in order, verified as a whole at the end."""

    @property
    def path(self) -> Path:
        """The file that holds them until ``finish``."""
        ...

    @property
    def offset(self) -> ByteCount:
        """How many bytes are already here."""
        ...

    def write(self, data: bytes | memoryview, *, digest: Digest | None = None) -> None:
        """Append the next bytes; ``digest`` is their SHA-256, where the caller has checked it.

        Raises:
            BlobCorrupt: more bytes than announced; what came is deleted.
            StorageFull: the disk has no room; what is here stays.
        """
        ...

    def finish(self) -> Path:
        """Verify the digest and publish the blob.

        Raises:
            BlobCorrupt: they are other bytes; they are deleted.
            BlobIncomplete: bytes are missing; what came stays.
        """
        ...

    def close(self) -> None:
        """Stop for now; what is here stays for a later resume."""
        ...
