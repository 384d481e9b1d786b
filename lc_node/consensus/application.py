"""What agreement needs of the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lc_node.chain.blocks import Block, Header
from lc_node.chain.types import BlockId, Epoch, Height, Millis, PublicKey, View, Weight
from lc_node.chain.votes import Certificate
from lc_node.consensus.messages import EpochProof


@dataclass(frozen=True, slots=True, kw_only=True)
class Era:
    """The epoch to which the next block belongs, as the state says."""

    epoch: Epoch
    members: Mapping[PublicKey, Weight]
    root: Header
    """The block before the epoch."""
    epoch_heights: int
    """Blocks of an epoch; 0: it has no last block."""


class Application(Protocol):
    """The ledger, with a state for each executed block from the last delivered one on.

    The core asks for nothing on a parent that it has not executed, or delivered, before. After a
    Deliver output is performed, states of blocks that do not descend from it may be dropped.
    """

    def work_since(self, parent: BlockId, now: Millis) -> Millis | None:
        """Return since when, or from when on, there is something to order on top of ``parent``.

        None: nothing to order. A time after ``now``: a job falls due then. Asked often: be quick.
        """
        ...

    def build(self, parent: BlockId, view: View, time: Millis) -> Block | None:
        """Return a valid block of this node for the view, with this time; None if it cannot.

        The block counts as executed.
        """
        ...

    def is_intact(self, block: Block) -> bool:
        """Return whether the transactions are those that the header's root commits to."""
        ...

    def execute(self, block: Block) -> bool:
        """Execute a block on its parent; False if it breaks a rule or its roots differ.

        The core has checked chain id, epoch, view, proposer, height, parent, time and size; the ledger
        checks reveal, roots, set hashes and transactions. Executing a block again is harmless.
        """
        ...

    def finalized_block(self, height: Height) -> Block | None:
        """Return the delivered block at a height, None if there is none (yet)."""
        ...

    def finalization(self, height: Height) -> Certificate | None:
        """Return the certificate that was delivered with the block at a height, None if none was."""
        ...


class EpochApplication(Application, Protocol):
    """A ledger whose validators change."""

    def era(self, block: BlockId) -> Era:
        """Return the epoch of the blocks on top of an executed, or the last delivered, block."""
        ...

    def epoch_proof(self, epoch: Epoch) -> EpochProof | None:
        """Return what leads over the end of a past epoch, None if it is not (or no longer) here."""
        ...
