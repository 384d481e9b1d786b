"""What a simulated network is about: who takes part with which stake, and what is in the blocks."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from lc_node.chain.blocks import Block, Header
from lc_node.chain.crypto import Signer
from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.types import (
    BlockId,
    Digest,
    Epoch,
    Height,
    Millis,
    PublicKey,
    Signature,
    View,
    Weight,
)
from lc_node.chain.votes import Certificate, Vote
from lc_node.consensus.application import EpochApplication


class Shelf(Protocol):
    """The finalised blocks of one node, as its disk keeps them."""

    @property
    def height(self) -> Height:
        """Height of the last delivered block, 0 before the first."""
        ...

    @property
    def finalizations(self) -> Mapping[Height, Certificate]:
        """The certificates that blocks were delivered with."""
        ...

    def block(self, height: Height) -> Block:
        """Return the delivered block at a height from 1."""
        ...


class NodeLedger(EpochApplication, Protocol):
    """An application of consensus that the simulator can feed, and that adversaries can misuse."""

    def submit(self, transaction: SignedTransaction, now: Millis) -> None:
        """Put a transaction into the mempool, unless it is of no use."""
        ...

    def delivered(self, blocks: Sequence[Block]) -> None:
        """Take note of blocks that are final, and durable."""
        ...

    def rival(self, parent: BlockId, view: View, time: Millis, mark: Digest) -> Block | None:
        """Return another valid block for the same place, told apart by ``mark``; None if it cannot."""
        ...

    def has_executed(self, identity: BlockId) -> bool:
        """Return whether a block can be built upon here."""
        ...


class Economy(Protocol):
    """One kind of ledger with its people; sees all that becomes final, and judges it."""

    @property
    def root(self) -> Header:
        """The header that the chain starts from."""
        ...

    @property
    def signers(self) -> Sequence[Signer]:
        """The nodes' keys: members first, then followers."""
        ...

    @property
    def is_satisfied(self) -> bool:
        """Whether people have reached what they should reach in a run."""
        ...

    def verify(self, public_key: PublicKey, message: bytes, signature: Signature) -> bool:
        """Return whether a vote's signature is its key's."""
        ...

    def members(self, epoch: Epoch) -> Mapping[PublicKey, Weight]:
        """Return who votes in an epoch whose first block's parent is final."""
        ...

    def ledger(self, number: int, shelf: Shelf) -> NodeLedger:
        """Return the ledger of a node that starts with what is on its disk."""
        ...

    def submissions(self, now: Millis) -> Sequence[SignedTransaction]:
        """Return what people send now."""
        ...

    def waiting(self) -> Sequence[SignedTransaction]:
        """Return what was sent and may not be final yet: a node that starts hears of it from others."""
        ...

    def accuse(self, number: int, first: Vote, second: Vote) -> Sequence[SignedTransaction]:
        """Return what a node sends when it finds two votes that convict their signer."""
        ...

    def finalized(self, block: Block, now: Millis) -> None:
        """Judge the next final block, seen for the first time.

        Raises:
            BrokenInvariant: it is not valid, or what follows from it must not be.
        """
        ...


class EconomyMaker(Protocol):
    """Begins an economy."""

    def __call__(
        self, seed: int, weights: Sequence[Weight], honest: int, followers: int
    ) -> Economy:
        """Begin with members of these weights, the first ``honest`` of them honest."""
        ...
