"""What agreement needs of the ledger."""

from typing import Protocol

from lc_node.chain.blocks import Block
from lc_node.chain.types import BlockId, Height, Millis, View
from lc_node.chain.votes import Certificate


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
