"""The real ledger of one node, with the simulated disk in place of the store."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import Block, Header, block_id
from lc_node.chain.builder import Slot, build_block
from lc_node.chain.epochs import get_last_height
from lc_node.chain.errors import InvalidBlock, TransactionRefused
from lc_node.chain.genesis import Genesis, genesis_header, initial_state
from lc_node.chain.mempool import Mempool, Pending, Source
from lc_node.chain.state import State
from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.transition import Applied, apply_block, validate_transactions_root
from lc_node.chain.types import BlockId, Digest, Epoch, Height, Millis, PublicKey, View
from lc_node.chain.votes import Certificate
from lc_node.consensus.application import Era
from lc_node.consensus.messages import EpochProof
from lc_node.sim.economy import Shelf

_USERS: Final = Source(b"")


class _Everything:
    """The hashes of all signed transactions: what is on our own disk was verified before."""

    def __contains__(self, _: object) -> bool:
        return True


class InMemoryLedger:
    """Executes, builds and delivers blocks by the rules of lc_node.chain."""

    def __init__(self, *, genesis: Genesis, shelf: Shelf, me: PublicKey, links: LinkChain) -> None:
        """Start at genesis and execute what is on the disk."""
        self._params = genesis.params
        self._shelf = shelf
        self._me = me
        self._links = links
        self._mempool = Mempool(genesis.params)
        self._state = initial_state(genesis)
        self._tip_id = block_id(genesis_header(genesis))
        self._trials: dict[BlockId, tuple[Block, Applied]] = {}
        self._work_since: dict[BlockId, Millis] = {}
        self._genesis = genesis_header(genesis)
        self._sets = {self._state.validators.epoch: self._state.validators}
        for height in range(1, shelf.height + 1):
            block = shelf.block(Height(height))
            applied = apply_block(self._state, block, self._params, _Everything())
            self._advance(block, block_id(block.header), applied)

    # What the simulator asks.

    def submit(self, transaction: SignedTransaction, now: Millis) -> None:
        """Put a transaction into the mempool if it can become final as things stand."""
        with suppress(TransactionRefused):
            self._mempool.add(transaction, self._state, now, _USERS)

    def delivered(self, blocks: Sequence[Block]) -> None:
        """Make blocks final."""
        for block in blocks:
            name = block_id(block.header)
            applied = self._trials[name][1] if name in self._trials else self._apply(block)
            self._advance(block, name, applied)

    def rival(self, parent: BlockId, view: View, time: Millis, mark: Digest) -> Block | None:
        """Return, executed, an empty block of a somewhat later time."""
        later = Millis(time + 1 + mark[0])
        return self._build(parent, view, later, ())

    def has_executed(self, identity: BlockId) -> bool:
        """Return whether a block can be built upon here."""
        return identity == self._tip_id or identity in self._trials

    # What agreement asks.

    def work_since(self, parent: BlockId, now: Millis) -> Millis | None:
        """Return since when, or from when on, there is something to order on top of ``parent``."""
        state = self._state_of(parent)
        due = state.next_due()
        if not self._mempool.has_includable(state):
            self._work_since.pop(parent, None)
            return due
        since = self._work_since.setdefault(parent, now)
        return since if due is None else min(since, due)

    def build(self, parent: BlockId, view: View, time: Millis) -> Block | None:
        """Return a valid block of this node for the view, None if it cannot make one."""
        return self._build(parent, view, time, tuple(self._mempool.candidates()))

    def is_intact(self, block: Block) -> bool:
        """Return whether the transactions are those that the header's root commits to."""
        try:
            validate_transactions_root(block, self._params)
        except InvalidBlock:
            return False
        return True

    def execute(self, block: Block) -> bool:
        """Execute a block on its parent; False if it breaks a rule or its roots differ."""
        name = block_id(block.header)
        if name in self._trials or block.header.height <= self._shelf.height:
            return True
        try:
            self._trials[name] = (block, self._apply(block))
        except InvalidBlock:
            return False
        return True

    def finalized_block(self, height: Height) -> Block | None:
        """Return the block at a height from the disk."""
        return self._shelf.block(height) if 0 < height <= self._shelf.height else None

    def finalization(self, height: Height) -> Certificate | None:
        """Return the certificate at a height from the disk."""
        return self._shelf.finalizations.get(height)

    def era(self, block: BlockId) -> Era:
        """Return the epoch of the blocks on top of an executed block, or the tip."""
        state, heights = self._state_of(block), self._params.epoch_heights
        epoch = state.meta.epoch
        first = Height(epoch * heights)
        return Era(
            epoch=epoch,
            members={m.key: m.weight for m in state.validators.members},
            root=self._header(block, first) if first else self._genesis,
            epoch_heights=heights,
        )

    def epoch_proof(self, epoch: Epoch) -> EpochProof | None:
        """Return how a past epoch ended."""
        height = get_last_height(self._params, epoch)
        if height is None or height > self._shelf.height:
            return None
        return EpochProof(
            header=self._shelf.block(height).header,
            certificate=self._shelf.finalizations[height],
            next_set=self._sets[Epoch(epoch + 1)],
        )

    def _header(self, block: BlockId, height: Height) -> Header:
        """Return the header at a height, which is that of ``block`` itself, on trial, or a final one."""
        if height <= self._shelf.height:
            return self._shelf.block(height).header
        return self._trials[block][0].header

    def _build(
        self, parent: BlockId, view: View, time: Millis, pending: Sequence[Pending]
    ) -> Block | None:
        state = self._state_of(parent)
        shown = state.account(self._me).link
        reveal = self._links.below(shown[0]) if shown else None
        if reveal is None:
            return None
        slot = Slot(view=view, parent_id=parent, proposer=self._me, time=time, reveal=reveal)
        block, applied = build_block(state, pending, slot, self._params)
        self._trials[block_id(block.header)] = (block, applied)
        return block

    def _apply(self, block: Block) -> Applied:
        parent = self._state_of(block.header.parent_id)
        return apply_block(parent, block, self._params, self._mempool)

    def _state_of(self, name: BlockId) -> State:
        return self._state if name == self._tip_id else self._trials[name][1].state

    def _advance(self, block: Block, name: BlockId, applied: Applied) -> None:
        applied.state.flatten()
        self._state, self._tip_id = applied.state, name
        self._sets.setdefault(self._state.validators.epoch, self._state.validators)
        self._trials = self._descendants(name)
        self._work_since.clear()
        senders = {signed.transaction.sender for signed in block.transactions}
        self._mempool.refresh(self._state, block.header.time, senders)

    def _descendants(self, name: BlockId) -> dict[BlockId, tuple[Block, Applied]]:
        """Return the trials that stand on a block; heights rise from parent to child."""
        kept: dict[BlockId, tuple[Block, Applied]] = {}
        by_height = sorted(self._trials.items(), key=lambda item: item[1][0].header.height)
        for trial, entry in by_height:
            parent = entry[0].header.parent_id
            if parent == name or parent in kept:
                kept[trial] = entry
        return kept
