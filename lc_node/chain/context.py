"""What a rule may know besides the state: the block it runs in, and who asks."""

import msgspec

from lc_node.chain.codec import Record
from lc_node.chain.params import ProtocolParams
from lc_node.chain.types import (
    Beacon,
    ChainId,
    Epoch,
    Height,
    Millis,
    PublicKey,
    TransactionId,
)


class BlockContext(msgspec.Struct, frozen=True, kw_only=True):
    """The block that is being executed; what happens is told through ``emit``."""

    params: ProtocolParams
    chain_id: ChainId
    height: Height
    epoch: Epoch
    time: Millis
    beacon: Beacon
    """The beacon of this block, its reveal already mixed in."""
    events: list[Record]
    """What happened so far in this block, in order."""

    def emit(self, event: Record) -> None:
        """Tell the world, through the block's receipts, that something happened."""
        self.events.append(event)


class Context(BlockContext, frozen=True, kw_only=True):
    """A transaction in its block.

    A rule ``process_x(state, context, body)`` makes all its checks before its first change, so that
    a transaction that raises InvalidTransaction has changed nothing.
    """

    sender: PublicKey
    transaction_id: TransactionId
