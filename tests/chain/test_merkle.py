"""Merkle trees as RFC 6962 defines them."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.merkle import inclusion_proof, leaf_hash, node_hash, root_of_inclusion, tree_root

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = json.loads((FOLDER / "rfc6962_inclusion.json").read_text())
CONSISTENCY = json.loads((FOLDER / "rfc6962_consistency.json").read_text())


def bytes_of(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_an_inclusion_vector_is_answered_as_its_authors_say(case: dict[str, Any]) -> None:
    root = root_of_inclusion(
        bytes_of(case["leafHash"]),
        case["leafIdx"],
        case["treeSize"],
        [bytes_of(step) for step in case["proof"] or ()],
    )

    assert (root != bytes_of(case["root"])) is case["wantErr"]


def roots_of_consistency(
    first: int, second: int, root: bytes, proof: list[bytes]
) -> tuple[bytes, bytes] | None:
    """Return both trees' roots as a proof gives them, by RFC 9162, section 2.1.4.2, over our nodes."""
    if first & (first - 1) == 0:
        proof = [root, *proof]
    if not proof or not 0 < first < second:
        return None
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = proof[0]
    for step in proof[1:]:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            old, new = node_hash(step, old), node_hash(step, new)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node_hash(new, step)
        fn, sn = fn >> 1, sn >> 1
    return (old, new) if sn == 0 else None


def is_consistent(case: dict[str, Any]) -> bool:
    first, second = case["size1"], case["size2"]
    roots = bytes_of(case["root1"]), bytes_of(case["root2"])
    proof = [bytes_of(step) for step in case["proof"] or ()]
    if first == second:
        return first > 0 and roots[0] == roots[1] and not proof
    return roots_of_consistency(first, second, roots[0], proof) == roots


@pytest.mark.parametrize("case", CONSISTENCY, ids=lambda case: case["name"])
def test_a_consistency_vector_is_answered_as_its_authors_say(case: dict[str, Any]) -> None:
    assert is_consistent(case) is not case["wantErr"]


def consistency_proof(first: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """Return the proof of RFC 6962, section 2.1.2, of our own roots."""
    if first == len(leaves):
        return [] if whole else [tree_root(leaves)]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if first <= split:
        left = consistency_proof(first, leaves[:split], whole=whole)
        return [*left, tree_root(leaves[split:])]
    right = consistency_proof(first - split, leaves[split:], whole=False)
    return [*right, tree_root(leaves[:split])]


@given(st.integers(2, 40), st.data())
@settings(max_examples=60)
def test_a_tree_that_grows_is_consistent_with_what_it_was(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([number])) for number in range(size)]
    first = data.draw(st.integers(1, size - 1))
    roots = tree_root(leaves[:first]), tree_root(leaves)
    proof = consistency_proof(first, leaves)

    assert roots_of_consistency(first, size, roots[0], proof) == roots


def recursive_root(leaves: list[bytes]) -> bytes:
    """Return the root by the recursion of RFC 6962, section 2.1."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(recursive_root(leaves[:split]), recursive_root(leaves[split:]))


@given(st.lists(st.binary(max_size=4), max_size=40))
@settings(max_examples=60)
def test_the_root_is_that_of_the_rfcs_recursion(data: list[bytes]) -> None:
    leaves = [leaf_hash(item) for item in data]

    assert tree_root(leaves) == recursive_root(leaves)


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40), st.data())
@settings(max_examples=60)
def test_a_proof_leads_from_its_leaf_to_the_root(items: list[bytes], data: st.DataObject) -> None:
    leaves = [leaf_hash(item) for item in items]
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(leaves, index)

    assert root_of_inclusion(leaves[index], index, len(leaves), proof) == tree_root(leaves)
