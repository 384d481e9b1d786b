"""Blocks: what the network agrees on, one after the other."""

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import digest
from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.types import (
    BlockId,
    ChainId,
    Digest,
    Epoch,
    Height,
    Link,
    Millis,
    PublicKey,
    View,
)

BLOCK_BYTES_MAX = 256 * 1024


class Header(Record):
    """A block without its transactions; its digest names the block."""

    chain_id: ChainId
    epoch: Epoch
    view: View
    proposer: PublicKey
    height: Height
    parent_id: BlockId
    time: Millis
    reveal: Link
    transactions_root: Digest
    state_root: Digest
    """The root of the state *after* this block."""
    set_hash: Digest
    """The hash of the validator set that votes on this block."""
    next_set_hash: tuple[Digest, ...]
    """At an epoch's last height the hash of the next set; empty elsewhere."""


class Block(Record):
    """A header and the transactions it commits to."""

    header: Header
    transactions: tuple[SignedTransaction, ...]


def block_id(header: Header) -> BlockId:
    """Return the digest that names the block with this header."""
    return BlockId(digest("lc/block/1", encode(header)))


BLOCK_DECODER = Decoder(Block, what="block", bytes_max=BLOCK_BYTES_MAX)
