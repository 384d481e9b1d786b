"""The chain on this node: the final state, the states of blocks on trial, the mempool, the store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import BLOCK_DECODER, Block, Header, block_id
from lc_node.chain.builder import Slot, build_block
from lc_node.chain.codec import Record, encode
from lc_node.chain.epochs import get_last_height
from lc_node.chain.errors import InvalidBlock, LearningChainError
from lc_node.chain.events import MARKET_EVENT_DECODER, EpochBegan
from lc_node.chain.genesis import Genesis, genesis_header, initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.state import State
from lc_node.chain.transactions import SignedTransaction
from lc_node.chain.transition import (
    Applied,
    apply_block,
    signed_hash,
    validate_transactions_root,
)
from lc_node.chain.types import (
    ZERO_DIGEST,
    BlockId,
    Epoch,
    Height,
    JobId,
    Link,
    Millis,
    PublicKey,
    View,
)
from lc_node.chain.votes import Certificate
from lc_node.consensus.application import Era
from lc_node.consensus.messages import CERTIFICATE_DECODER, EpochProof
from lc_node.ports.stores import ChainStore, StoredBlock
from lc_node.runtime.snapshot import Snapshot

NO_JOB: Final = JobId(ZERO_DIGEST)
"""Receipts that speak of no job are stored under this id."""


class _Head(Record):
    """A stored block of which only the header is read."""

    header: Header
    transactions: msgspec.Raw


_HEAD: Final = msgspec.msgpack.Decoder(_Head)
_PROOF: Final = msgspec.msgpack.Decoder(EpochProof)
"""What is stored here was checked when it came."""


class OtherChain(LearningChainError):
    """The store holds another chain than the genesis document begins."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__(
            "this home holds the chain of another genesis; use another --home, "
            "or move its chain.db and votes.db away"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalized:
    """A block that is final, and what followed from it."""

    block: Block
    events: Sequence[Record]
    state: State


OnFinalized = Callable[[Finalized], None]


class Ledger:
    """Executes, builds and delivers blocks; the consensus's application (consensus.application)."""

    def __init__(
        self, *, genesis: Genesis, store: ChainStore, me: PublicKey, links: LinkChain
    ) -> None:
        """Go on from what the store holds; an empty one is begun with the genesis state.

        Raises:
            OtherChain: the store holds another chain.
        """
        self.params: Final = genesis.params
        self._store = store
        self._me = me
        self._links = links
        self._hearers: list[OnFinalized] = []
        self._work_since: dict[BlockId, Millis] = {}
        """When transactions were first seen waiting for a block on a parent."""
        self.mempool: Final = Mempool(genesis.params)
        self.root: Final = genesis_header(genesis)
        self._begin(genesis)
        self._complete_epochs()
        tip = store.tip()
        assert tip is not None, "genesis was stored"
        self.tip: Header = self._stored(tip[0]).header
        self.state: State = State.load(store.entries())
        self._tip_id = tip[1]
        self._trials: dict[BlockId, tuple[Block, Applied]] = {}

    def hear(self, hearer: OnFinalized) -> None:
        """Call ``hearer`` after each block that becomes final, in order."""
        self._hearers.append(hearer)

    @property
    def link(self) -> Link:
        """What this node's account must commit to before it can make blocks."""
        return self._links.commitment

    @property
    def height(self) -> Height:
        """The height of the last final block."""
        return self.tip.height

    def admit(self, signed: SignedTransaction, now: Millis, source: Source) -> None:
        """Put a transaction into the mempool.

        Raises:
            TransactionRefused: it cannot become final as things stand; the class says why.
        """
        self.mempool.add(signed, self.state, now, source)

    def secure(self) -> None:
        """Make every delivered block survive a power cut."""
        self._store.secure()

    def is_pending(self, signed: SignedTransaction) -> bool:
        """Return whether a transaction still waits in the mempool."""
        return signed_hash(signed) in self.mempool

    # What the consensus asks.

    def work_since(self, parent: BlockId, now: Millis) -> Millis | None:
        """Return since when, or from when on, there is something to order on top of ``parent``."""
        state = self._state_of(parent)
        due = state.next_due()
        if not self.mempool.has_includable(state):
            self._work_since.pop(parent, None)
            return due
        # The oldest counts: or a steady stream would put off for ever the day a dead leader is given up.
        since = self._work_since.setdefault(parent, now)
        return since if due is None else min(since, due)

    def build(self, parent: BlockId, view: View, time: Millis) -> Block | None:
        """Return a valid block of this node for the view, None if it cannot make one."""
        state = self._state_of(parent)
        shown = state.account(self._me).link
        reveal = self._links.below(shown[0]) if shown else None
        if reveal is None:
            return None
        slot = Slot(view=view, parent_id=parent, proposer=self._me, time=time, reveal=reveal)
        block, applied = build_block(state, self.mempool.candidates(), slot, self.params)
        self._trials[block_id(block.header)] = (block, applied)
        return block

    def is_intact(self, block: Block) -> bool:
        """Return whether the transactions are those that the header's root commits to."""
        try:
            validate_transactions_root(block, self.params)
        except InvalidBlock:
            return False
        return True

    def execute(self, block: Block) -> bool:
        """Execute a block on its parent; False if it breaks a rule or its roots differ."""
        name = block_id(block.header)
        if name in self._trials or block.header.height <= self.height:
            return True
        try:
            applied = self._apply(block)
        except InvalidBlock:
            return False
        self._trials[name] = (block, applied)
        return True

    def finalized_block(self, height: Height) -> Block | None:
        """Return the final block at a height, None if there is none."""
        data = self._store.block_at(height)
        return None if data is None or height == 0 else BLOCK_DECODER.decode(data)

    def finalized_header(self, height: Height) -> Header | None:
        """Return the header of the final block at a height, None if it is not kept."""
        data = self._store.block_at(height)
        return None if data is None else _HEAD.decode(data).header

    def finalization(self, height: Height) -> Certificate | None:
        """Return the certificate stored with the block at a height, None if there is none."""
        data = self._store.certificate_at(height)
        return CERTIFICATE_DECODER.decode(data) if data else None

    def era(self, block: BlockId) -> Era:
        """Return the epoch of the blocks on top of a block that is executed here, or the tip."""
        state, heights = self._state_of(block), self.params.epoch_heights
        epoch = state.meta.epoch
        return Era(
            epoch=epoch,
            members={m.key: m.weight for m in state.validators.members},
            root=self._header(block, Height(epoch * heights), epoch),
            epoch_heights=heights,
        )

    def epoch_proof(self, epoch: Epoch) -> EpochProof | None:
        """Return how a past epoch ended, None if its last block is not kept, or not final yet."""
        data = self._store.epoch_at(epoch)
        return None if data is None else decode_proof(data)

    def deliver(self, blocks: Sequence[Block], certificate: Certificate) -> None:
        """Make blocks final: store each with its consequences, then tell; idempotent by height."""
        for block in blocks:
            if block.header.height <= self.height:
                continue
            name = block_id(block.header)
            applied = self._trials[name][1] if name in self._trials else self._apply(block)
            is_last = block is blocks[-1]
            self._store.append(_stored(block, name, applied, certificate if is_last else None))
            self._advance(block, name, applied)

    def store_snapshot(self, snapshot: Snapshot) -> None:
        """Replace what is stored by a snapshot, before ``go_on_from``; slow, for a thread of its own.

        Raises:
            StorageFull: there is no room for it; nothing is changed.
        """
        header = snapshot.block.header
        self._store.adopt(
            StoredBlock(
                height=header.height,
                block_id=block_id(header),
                block=encode(snapshot.block),
                certificate=encode(snapshot.certificate),
                changes=dict(sorted(snapshot.state.commitment().entries())),
                receipts=(),
            ),
            snapshot.proofs,
        )
        self._store.secure()

    def go_on_from(self, snapshot: Snapshot) -> None:
        """Stand where the stored snapshot does; whoever hears of blocks hears of none in between."""
        header = snapshot.block.header
        self.state, self.tip, self._tip_id = snapshot.state, header, block_id(header)
        self._trials = {}
        self._work_since.clear()
        self.mempool.refresh(self.state, header.time)

    def _header(self, block: BlockId, height: Height, epoch: Epoch) -> Header:
        """Return the header that an epoch stands on: ``block`` itself, or a final one below."""
        if block in self._trials and self._trials[block][0].header.height == height:
            return self._trials[block][0].header
        if self.height == height:
            return self.tip
        proof = self.epoch_proof(Epoch(epoch - 1)) if epoch else None
        return self.root if proof is None else proof.header

    def _apply(self, block: Block) -> Applied:
        parent = self._state_of(block.header.parent_id)
        return apply_block(parent, block, self.params, self.mempool)

    def _state_of(self, name: BlockId) -> State:
        return self.state if name == self._tip_id else self._trials[name][1].state

    def _advance(self, block: Block, name: BlockId, applied: Applied) -> None:
        applied.state.flatten()
        self.state, self.tip, self._tip_id = applied.state, block.header, name
        self._trials = self._descendants(name)
        self._work_since.clear()
        senders = {signed.transaction.sender for signed in block.transactions}
        self.mempool.refresh(self.state, block.header.time, senders)
        finalized = Finalized(block=block, events=applied.events, state=self.state)
        for hearer in self._hearers:
            hearer(finalized)

    def _descendants(self, name: BlockId) -> dict[BlockId, tuple[Block, Applied]]:
        """Return the trials that stand on a block; heights rise from parent to child."""
        kept: dict[BlockId, tuple[Block, Applied]] = {}
        by_height = sorted(self._trials.items(), key=lambda item: item[1][0].header.height)
        for trial, entry in by_height:
            parent = entry[0].header.parent_id
            if parent == name or parent in kept:
                kept[trial] = entry
        return kept

    def _begin(self, genesis: Genesis) -> None:
        """Store genesis as the block of height 0, or check that it is this chain's."""
        name = block_id(self.root)
        if self._store.tip() is None:
            state = initial_state(genesis)
            self._store.append(
                StoredBlock(
                    height=Height(0),
                    block_id=name,
                    block=encode(Block(header=self.root, transactions=())),
                    certificate=b"",
                    changes=dict(state.commitment().entries()),
                    receipts=(),
                )
            )
        if self._store.height_of(name) != 0:
            raise OtherChain

    def _complete_epochs(self) -> None:
        """Gather how epochs ended from a store that an older version wrote."""
        epoch = Epoch(0)
        while self._store.epoch_at(epoch) is None:
            height = get_last_height(self.params, epoch)
            header = None if height is None else self.finalized_header(height)
            certificate = None if height is None else self.finalization(height)
            if height is None or header is None or certificate is None:
                return
            told = [MARKET_EVENT_DECODER.decode(d) for _, d in self._store.receipts_at(height)]
            proof = _proof(header, certificate, told)
            assert proof is not None, "an epoch's last block tells who votes next"
            self._store.put_epoch(epoch, encode(proof))
            epoch = Epoch(epoch + 1)

    def _stored(self, height: Height) -> Block:
        data = self._store.block_at(height)
        assert data is not None, "the tip is stored"
        return BLOCK_DECODER.decode(data)


def decode_proof(data: bytes) -> EpochProof:
    """Return how an epoch ended, from bytes that were checked before and kept here."""
    return _PROOF.decode(data)


def _stored(
    block: Block, name: BlockId, applied: Applied, certificate: Certificate | None
) -> StoredBlock:
    header = block.header
    proof = None if certificate is None else _proof(header, certificate, applied.events)
    return StoredBlock(
        height=header.height,
        block_id=name,
        block=encode(block),
        certificate=b"" if certificate is None else encode(certificate),
        changes=dict(applied.state.changes()),
        receipts=[(getattr(event, "job", NO_JOB), encode(event)) for event in applied.events],
        epoch_end=None if proof is None else (header.epoch, encode(proof)),
    )


def _proof(
    header: Header, certificate: Certificate, events: Sequence[Record]
) -> EpochProof | None:
    """Return how an epoch ended, if this is its last block."""
    began = next((event for event in events if isinstance(event, EpochBegan)), None)
    if began is None:
        return None
    return EpochProof(header=header, certificate=certificate, next_set=began.validators)
