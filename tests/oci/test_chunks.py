"""A file's name is the root over its chunks, and a small file needs no tree."""

import hashlib

from lc_node.oci.chunks import chunk_digest, chunk_root


def test_an_empty_file_is_named_by_the_digest_of_nothing() -> None:
    assert chunk_root([]) == hashlib.sha256(b"").digest()


def test_a_file_of_one_chunk_is_named_by_its_digest() -> None:
    assert chunk_root([chunk_digest(b"x")]) == hashlib.sha256(b"x").digest()


def test_a_file_of_two_chunks_is_named_by_a_tree_after_rfc_6962() -> None:
    leaves = [hashlib.sha256(b"\0" + chunk_digest(part)).digest() for part in (b"a", b"b")]

    assert chunk_root([chunk_digest(b"a"), chunk_digest(b"b")]) == (
        hashlib.sha256(b"\1" + b"".join(leaves)).digest()
    )


def test_the_order_of_chunks_matters() -> None:
    one, two = chunk_digest(b"a"), chunk_digest(b"b")

    assert chunk_root([one, two]) != chunk_root([two, one])
