"""Proofs that an entry is, or is not, in the state under a root: its bucket and twelve digests."""

from typing import Annotated, Final

import msgspec

from lc_node.chain.bucket import Bucket
from lc_node.chain.codec import Decoder, Record
from lc_node.chain.commitment import BUCKET_BITS, BUCKETS, Commitment, bucket_of
from lc_node.chain.errors import BadProof
from lc_node.chain.types import Digest
from lc_node.merkle import root_of_inclusion

PROOF_BYTES_MAX: Final = 4 * 1024 * 1024


class BucketProof(Record):
    """A bucket's entries, and the hashes beside its way to the root, from the leaf up."""

    entries: tuple[tuple[bytes, bytes], ...]
    siblings: Annotated[
        tuple[Digest, ...], msgspec.Meta(min_length=BUCKET_BITS, max_length=BUCKET_BITS)
    ]


PROOF_DECODER: Final = Decoder(BucketProof, what="state proof", bytes_max=PROOF_BYTES_MAX)


def prove_bucket(commitment: Commitment, index: int) -> BucketProof:
    """Return the proof of a bucket, which is also a snapshot's unit."""
    node = BUCKETS + index
    siblings = tuple(Digest(commitment.node(node >> level ^ 1)) for level in range(BUCKET_BITS))
    return BucketProof(entries=tuple(commitment.bucket(index).items()), siblings=siblings)


def prove_entry(commitment: Commitment, key: bytes) -> BucketProof:
    """Return the proof of what stands under a key, or that nothing does."""
    return prove_bucket(commitment, bucket_of(key))


def verify_bucket(root: Digest, index: int, proof: BucketProof) -> None:
    """Check that a proof's entries are a whole bucket of the state under a root.

    Raises:
        BadProof, MalformedEntries: they are not.
    """
    leaf = Bucket.of(proof.entries).leaf_hash()
    if root_of_inclusion(leaf, index, BUCKETS, proof.siblings) != root:
        raise BadProof(index)


def verify_entry(root: Digest, key: bytes, proof: BucketProof) -> bytes | None:
    """Return what stands under a key in the state under a root, None if nothing does.

    Raises:
        BadProof, MalformedEntries: the proof does not lead to this root.
    """
    verify_bucket(root, bucket_of(key), proof)
    return dict(proof.entries).get(key)
