"""Making a block: the proposer's side of the transition."""

from collections.abc import Iterable
from dataclasses import dataclass

from lc_node.chain.blocks import Block, Header
from lc_node.chain.context import BlockContext
from lc_node.chain.deadlines import process_deadlines
from lc_node.chain.epochs import process_epoch_end
from lc_node.chain.errors import InvalidTransaction
from lc_node.chain.mempool import Mempool, Pending
from lc_node.chain.params import ProtocolParams
from lc_node.chain.state import State
from lc_node.chain.transition import HEADER_BYTES, Applied, apply_transaction, enter_block
from lc_node.chain.types import BlockId, Digest, Link, Millis, PublicKey, View
from lc_node.chain.validators import set_hash
from lc_node.merkle import tree_root


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The place that a block is made for, and what its proposer brings."""

    view: View
    parent_id: BlockId
    proposer: PublicKey
    time: Millis
    reveal: Link


def build_block(
    parent: State, pending: Iterable[Pending], slot: Slot, params: ProtocolParams
) -> tuple[Block, Applied]:
    """Return a valid block, and what follows from it, of pending transactions in their order.

    What is not valid (any more) on this parent, or does not fit, is left out.

    Raises:
        InvalidBlock: the slot's time or reveal cannot follow on this parent.
    """
    state, context = enter_block(
        parent,
        params,
        view=slot.view,
        proposer=slot.proposer,
        time=slot.time,
        reveal=slot.reveal,
    )
    process_deadlines(state, context)
    chosen = _chosen(state, context, pending)
    next_set_hash = process_epoch_end(state, context)
    header = Header(
        chain_id=context.chain_id,
        epoch=context.epoch,
        view=slot.view,
        proposer=slot.proposer,
        height=context.height,
        parent_id=slot.parent_id,
        time=slot.time,
        reveal=slot.reveal,
        transactions_root=Digest(tree_root([entry.digest for entry in chosen])),
        state_root=state.root(),
        set_hash=set_hash(parent.validators),
        next_set_hash=next_set_hash,
    )
    block = Block(header=header, transactions=tuple(entry.signed for entry in chosen))
    return block, Applied(state=state, events=tuple(context.events))


def has_work(state: State, mempool: Mempool, now: Millis) -> bool:
    """Return whether a block on this state would move anything: a job is due, or a transaction waits."""
    due = state.next_due()
    return (due is not None and due <= now) or mempool.has_includable(state)


def _chosen(state: State, context: BlockContext, pending: Iterable[Pending]) -> list[Pending]:
    """Apply what is valid and fits, and return it."""
    params = context.params
    room = params.block_bytes_max - HEADER_BYTES
    chosen: list[Pending] = []
    for entry in pending:
        if len(chosen) == params.block_transactions_max:
            break
        if entry.size <= room and _is_applied(state, context, entry):
            chosen.append(entry)
            room -= entry.size
    return chosen


def _is_applied(state: State, context: BlockContext, entry: Pending) -> bool:
    """Apply a transaction, whole or not at all, and return whether it was."""
    trial = state.child()
    told = len(context.events)
    try:
        apply_transaction(trial, context, entry.signed, is_verified=True)
    except InvalidTransaction:
        del context.events[told:]
        return False
    state.absorb(trial)
    return True
