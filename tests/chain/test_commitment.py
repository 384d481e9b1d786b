"""The state's Merkle root and its proofs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lc_node.chain.codec import encode
from lc_node.chain.commitment import BUCKETS, Commitment, bucket_bytes, bucket_of
from lc_node.chain.errors import BadProof, MalformedBytes
from lc_node.chain.proofs import (
    PROOF_DECODER,
    BucketProof,
    prove_bucket,
    prove_entry,
    verify_bucket,
    verify_entry,
)
from lc_node.chain.types import Digest
from lc_node.merkle import leaf_hash, tree_root

# Few keys, so that they are set and removed again and again.
ENTRIES = st.dictionaries(
    st.integers(0, 20).map(lambda n: b"k%d" % n), st.none() | st.binary(max_size=5), max_size=20
)


def commitment_of(count: int) -> Commitment:
    return Commitment().updated({b"key%d" % n: b"value%d" % n for n in range(count)})


def full_root(commitment: Commitment) -> bytes:
    return tree_root(
        [leaf_hash(bucket_bytes(commitment.bucket(index))) for index in range(BUCKETS)]
    )


@given(st.lists(ENTRIES, max_size=4), st.integers(0, 4))
@settings(max_examples=30, deadline=None)
def test_the_root_is_kept_up_to_date_change_by_change(
    steps: list[dict[bytes, bytes | None]], flattened: int
) -> None:
    commitment = Commitment()
    for number, step in enumerate(steps):
        commitment = commitment.updated(step)
        if number == flattened:
            commitment.flatten()

    assert commitment.root == full_root(commitment)
    kept: dict[bytes, bytes | None] = {key: value for step in steps for key, value in step.items()}
    expected = {key: value for key, value in kept.items() if value is not None}
    assert dict(commitment.entries()) == expected


def test_an_empty_commitment_has_the_root_of_empty_buckets() -> None:
    assert Commitment().root == full_root(Commitment())


def test_removing_what_was_added_restores_the_root() -> None:
    commitment = commitment_of(3)

    assert commitment.updated({b"new": b"1"}).updated({b"new": None}).root == commitment.root


def test_a_bucket_is_kept_in_key_order_however_it_was_filled() -> None:
    keys = sorted(key for n in range(40_000) if bucket_of(key := b"%d" % n) == 5)
    forwards = Commitment().updated(dict.fromkeys(keys, b""))
    backwards = Commitment()
    for key in reversed(keys):
        backwards = backwards.updated({key: b""})

    assert len(keys) > 3
    assert list(backwards.bucket(5)) == keys
    assert backwards.root == forwards.root


def test_a_proof_shows_what_stands_under_a_key() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, b"key7")

    assert verify_entry(commitment.root, b"key7", proof) == b"value7"


def test_a_proof_shows_that_nothing_stands_under_a_key() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, b"nothing")

    assert verify_entry(commitment.root, b"nothing", proof) is None


def test_a_proof_of_another_key_proves_nothing() -> None:
    commitment = commitment_of(50)

    with pytest.raises(BadProof):
        verify_entry(commitment.root, b"key7", prove_entry(commitment, b"key8"))


def test_a_forged_entry_is_refused() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, b"key7")
    forged = replace(proof, entries=((b"key7", b"a million"),))

    with pytest.raises(BadProof):
        verify_entry(commitment.root, b"key7", forged)


def test_an_entry_named_twice_is_refused() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, b"key7")
    doubled = replace(proof, entries=((b"key7", b"a million"), *proof.entries))

    with pytest.raises(BadProof):
        verify_bucket(commitment.root, bucket_of(b"key7"), doubled)


def test_a_snapshot_is_checked_bucket_by_bucket() -> None:
    commitment = commitment_of(50)
    entries: dict[bytes, bytes | None] = {}
    for index in range(BUCKETS):
        proof = prove_bucket(commitment, index)
        verify_bucket(commitment.root, index, proof)
        entries.update(proof.entries)

    assert Commitment().updated(entries).root == commitment.root


def test_a_proof_travels_as_bytes() -> None:
    proof = prove_entry(commitment_of(50), b"key7")

    assert PROOF_DECODER.decode(encode(proof)) == proof


def test_a_proof_has_twelve_digests() -> None:
    proof = BucketProof(entries=(), siblings=(Digest(bytes(32)),) * 11)

    with pytest.raises(MalformedBytes):
        PROOF_DECODER.decode(encode(proof))
