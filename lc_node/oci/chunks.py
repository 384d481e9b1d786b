"""How large files are named: by a root over their chunks, so that each chunk can be checked alone."""

import hashlib
from collections.abc import Sequence
from typing import Final

from lc_node.merkle import leaf_hash, tree_root

CHUNK_BYTES: Final = 1024 * 1024


def chunk_digest(chunk: bytes | memoryview) -> bytes:
    """Return a chunk's SHA-256."""
    return hashlib.sha256(chunk).digest()


def chunk_root(chunk_digests: Sequence[bytes]) -> bytes:
    """Return the name of a file from its chunks' digests in order.

    A file of one chunk is named by that chunk's SHA-256, so that small files need no tree; the empty
    file is named by the SHA-256 of nothing.
    """
    if not chunk_digests:
        return hashlib.sha256(b"").digest()
    if len(chunk_digests) == 1:
        return chunk_digests[0]
    return tree_root([leaf_hash(digest) for digest in chunk_digests])
