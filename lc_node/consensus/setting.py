"""What is fixed for a whole epoch (docs/CONSENSUS.md, A)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from lc_node.chain.blocks import Header
from lc_node.chain.leaders import Leaders
from lc_node.chain.types import ChainId, Epoch, Height, PublicKey, Signature, View
from lc_node.chain.votes import Subject, Vote, VoteKind, vote_message
from lc_node.consensus.validator_set import ValidatorSet

Verifier: TypeAlias = Callable[[PublicKey, bytes, Signature], bool]
"""Whether a signature of a message verifies under a key; ``chain.crypto.verify`` in earnest."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One epoch of one chain."""

    chain_id: ChainId
    epoch: Epoch
    validators: ValidatorSet
    root: Header
    """The block before the epoch: genesis, or the last one of the epoch before. It is N[0]."""
    verifier: Verifier
    epoch_heights: int = 0
    """Blocks of an epoch; 0: it has no last block."""

    @cached_property
    def last_height(self) -> Height | None:
        """The height of the epoch's last block."""
        return self.last_height_of(self.epoch)

    def last_height_of(self, epoch: Epoch) -> Height | None:
        """Return the height of an epoch's last block, None if it has none."""
        return Height((epoch + 1) * self.epoch_heights) if self.epoch_heights else None

    def is_last(self, header: Header) -> bool:
        """Return whether a block of this epoch is its last one."""
        return header.height == self.last_height

    def leader(self, view: View) -> PublicKey:
        """Return who proposes in a view."""
        return self._leaders.leader(view)

    @cached_property
    def _leaders(self) -> Leaders:
        return self.validators.leaders(self.chain_id, self.epoch)

    def message(self, kind: VoteKind, view: View, subject: Subject) -> bytes:
        """Return what a vote of this epoch signs."""
        return vote_message(self.chain_id, kind, self.epoch, view, subject)

    def verifies(self, vote: Vote) -> bool:
        """Return whether a vote's signature is its signer's."""
        message = vote_message(self.chain_id, vote.kind, vote.epoch, vote.view, vote.subject)
        return self.verifier(vote.signer, message, vote.signature)


def is_well_formed(kind: VoteKind, view: View, subject: Subject) -> bool:
    """Return whether a vote or certificate can mean anything: a NULLIFY speaks of no block, others do."""
    if kind is VoteKind.NULLIFY:
        return view > 0 and not any(subject.block_id) and subject.parent_view == 0
    return subject.parent_view < view
