"""Votes on blocks and the certificates that a quorum of them makes (Simplex, eprint 2023/463)."""

from enum import IntEnum
from typing import Final

from lc_node.chain.codec import Record
from lc_node.chain.types import (
    ZERO_DIGEST,
    BlockId,
    ChainId,
    Epoch,
    PublicKey,
    Signature,
    View,
)


class VoteKind(IntEnum):
    """The three votes of a view."""

    NOTARIZE = 1
    NULLIFY = 2
    FINALIZE = 3


class Subject(Record):
    """What NOTARIZE and FINALIZE speak of: a block on a notarized parent view."""

    parent_view: View
    block_id: BlockId


NO_SUBJECT: Final = Subject(parent_view=View(0), block_id=BlockId(ZERO_DIGEST))
"""What NULLIFY speaks of: zeros."""


class Vote(Record):
    """One validator's signed vote in one view."""

    kind: VoteKind
    epoch: Epoch
    view: View
    subject: Subject
    signer: PublicKey
    signature: Signature


class Certificate(Record):
    """Votes of one kind and subject by a quorum of an epoch's set.

    ``bitmap`` has one bit a member of the set in key order, least significant bit of the first byte
    first; ``signatures`` follow in that order.
    """

    kind: VoteKind
    epoch: Epoch
    view: View
    subject: Subject
    bitmap: bytes
    signatures: tuple[Signature, ...]


def vote_message(
    chain_id: ChainId, kind: VoteKind, epoch: Epoch, view: View, subject: Subject
) -> bytes:
    """Return the fixed-width bytes that a vote signs."""
    return b"".join(
        (
            b"LC1",
            chain_id,
            kind.to_bytes(1, "big"),
            epoch.to_bytes(8, "big"),
            view.to_bytes(8, "big"),
            subject.parent_view.to_bytes(8, "big"),
            subject.block_id,
        )
    )
