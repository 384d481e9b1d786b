"""Merkle trees as RFC 6962, section 2.1 defines them, over SHA-256."""

import hashlib
from collections.abc import Sequence
from typing import Final

HASH_BYTES: Final = 32


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 over 0x00 and its data."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 over 0x01 and its children's hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaf_hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes in order; the empty tree's root is SHA-256 of nothing."""
    if not leaf_hashes:
        return hashlib.sha256(b"").digest()
    level = list(leaf_hashes)
    while len(level) > 1:
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the hashes, from the leaf up, that lead from a leaf to the root (section 2.1.1).

    ``tree_root`` pairs neighbours and carries an odd last one up, which gives the same tree.
    """
    proof: list[bytes] = []
    level = list(leaf_hashes)
    while len(level) > 1:
        if index ^ 1 < len(level):
            proof.append(level[index ^ 1])
        paired = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(paired) * 2 :]
        index //= 2
    return tuple(proof)


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that a proof gives a leaf hash in a tree of ``size`` leaves.

    None if the proof has not the length that this place in this tree needs, there is no such place, or
    the leaf hash is none.
    """
    if not 0 <= index < size or len(leaf) != HASH_BYTES:
        return None
    last = size - 1
    steps = iter(proof)
    try:
        while last:
            if index & 1:
                leaf = node_hash(next(steps), leaf)
            elif index < last:
                leaf = node_hash(leaf, next(steps))
            index, last = index // 2, last // 2
    except StopIteration:
        return None
    return leaf if next(steps, None) is None else None
