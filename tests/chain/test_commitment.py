"""The state's Merkle root and its proofs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lc_node.chain.bucket import KEY_BYTES, Bucket
from lc_node.chain.codec import encode
from lc_node.chain.commitment import BUCKETS, Commitment, bucket_of
from lc_node.chain.errors import BadProof, MalformedBytes, MalformedEntries
from lc_node.chain.proofs import (
    PROOF_DECODER,
    BucketProof,
    prove_bucket,
    prove_entry,
    verify_bucket,
    verify_entry,
)
from lc_node.chain.types import Digest
from lc_node.merkle import tree_root


def key_of(number: int) -> bytes:
    return b"k%032d" % number


# Few keys, so that they are set and removed again and again.
ENTRIES = st.dictionaries(
    st.integers(0, 20).map(key_of), st.none() | st.binary(max_size=5), max_size=20
)


SEVEN = key_of(7)


def commitment_of(count: int) -> Commitment:
    return Commitment().updated({key_of(n): b"value%d" % n for n in range(count)})


def full_root(commitment: Commitment) -> bytes:
    return tree_root([commitment.bucket(index).leaf_hash() for index in range(BUCKETS)])


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

    assert commitment.updated({key_of(9): b"1"}).updated({key_of(9): None}).root == commitment.root


def test_a_bucket_is_kept_in_key_order_however_it_was_filled() -> None:
    keys = sorted(key for n in range(40_000) if bucket_of(key := key_of(n)) == 5)
    forwards = Commitment().updated(dict.fromkeys(keys, b""))
    backwards = Commitment()
    for key in reversed(keys):
        backwards = backwards.updated({key: b""})

    assert len(keys) > 3
    assert [key for key, _ in backwards.bucket(5).items()] == keys
    assert backwards.root == forwards.root


def test_a_proof_shows_what_stands_under_a_key() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, SEVEN)

    assert verify_entry(commitment.root, SEVEN, proof) == b"value7"


def test_a_proof_shows_that_nothing_stands_under_a_key() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, key_of(99))

    assert verify_entry(commitment.root, key_of(99), proof) is None


def test_a_proof_of_another_key_proves_nothing() -> None:
    commitment = commitment_of(50)

    with pytest.raises(BadProof):
        verify_entry(commitment.root, SEVEN, prove_entry(commitment, key_of(8)))


def test_a_forged_entry_is_refused() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, SEVEN)
    forged = replace(proof, entries=((SEVEN, b"a million"),))

    with pytest.raises(BadProof):
        verify_entry(commitment.root, SEVEN, forged)


def test_an_entry_named_twice_is_refused() -> None:
    commitment = commitment_of(50)
    proof = prove_entry(commitment, SEVEN)
    doubled = replace(proof, entries=((SEVEN, b"a million"), *proof.entries))

    with pytest.raises(MalformedEntries):
        verify_bucket(commitment.root, bucket_of(SEVEN), doubled)


def test_a_snapshot_is_checked_bucket_by_bucket() -> None:
    commitment = commitment_of(50)
    entries: dict[bytes, bytes | None] = {}
    for index in range(BUCKETS):
        proof = prove_bucket(commitment, index)
        verify_bucket(commitment.root, index, proof)
        entries.update(proof.entries)

    assert Commitment().updated(entries).root == commitment.root


def test_a_proof_travels_as_bytes() -> None:
    proof = prove_entry(commitment_of(50), SEVEN)

    assert PROOF_DECODER.decode(encode(proof)) == proof


def test_a_proof_has_twelve_digests() -> None:
    proof = BucketProof(entries=(), siblings=(Digest(bytes(32)),) * 11)

    with pytest.raises(MalformedBytes):
        PROOF_DECODER.decode(encode(proof))


# A bucket is three runs of bytes that behave as a dictionary does.


@given(
    st.lists(
        st.tuples(st.sampled_from([key_of(n) for n in range(6)]), st.none() | st.binary()),
        max_size=20,
    )
)
@settings(max_examples=80)
def test_a_bucket_is_a_sorted_dictionary(changes: list[tuple[bytes, bytes | None]]) -> None:
    bucket, expected = Bucket.of(()), dict[bytes, bytes]()
    for key, value in changes:
        bucket = bucket.updated(key, value)
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value

    assert list(bucket.items()) == sorted(expected.items())
    assert [bucket.get(key_of(n)) for n in range(6)] == [expected.get(key_of(n)) for n in range(6)]
    assert Bucket.of(sorted(expected.items())).leaf_hash() == bucket.leaf_hash()


def test_a_key_that_also_lies_across_two_others_is_found_where_it_stands() -> None:
    across = b"b" * 16 + b"c" * 17
    keys = [b"a" * 17 + b"b" * 16, b"c" * 17 + b"d" * 16]
    bucket = Bucket.of([(keys[0], b"1"), (keys[1], b"2")])

    assert bucket.keys.find(across) == 17
    assert bucket.get(across) is None
    assert list(bucket.updated(across, b"3").items())[1] == (across, b"3")


@pytest.mark.parametrize(
    "keys", [[b"short"], [b"k" * (KEY_BYTES + 1)], [SEVEN, SEVEN], [SEVEN, key_of(6)]]
)
def test_entries_of_another_shape_or_order_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(MalformedEntries):
        Bucket.of((key, b"") for key in keys)
