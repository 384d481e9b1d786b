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

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors" / "rfc6962_inclusion.json").read_text()
)


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
