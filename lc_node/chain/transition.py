"""What a block does to the state."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from lc_node.chain.accounts import process_envelope
from lc_node.chain.attendance import count_missed
from lc_node.chain.beacon import link_above, next_beacon
from lc_node.chain.blocks import Block, Header
from lc_node.chain.codec import Record, encode
from lc_node.chain.context import BlockContext, Context
from lc_node.chain.crypto import verify
from lc_node.chain.deadlines import process_deadlines
from lc_node.chain.epochs import process_epoch_end
from lc_node.chain.errors import (
    BadReveal,
    BadSignature,
    BadTransaction,
    BlockTooLarge,
    Expired,
    InvalidTransaction,
    TimeNotAfterParent,
    WrongChain,
    WrongPlace,
    WrongRoot,
)
from lc_node.chain.handlers import process_body
from lc_node.chain.params import ProtocolParams
from lc_node.chain.state import State
from lc_node.chain.transactions import SignedTransaction, Transaction, transaction_id
from lc_node.chain.types import Digest, Height, Link, Millis, PublicKey, View
from lc_node.chain.validators import set_hash
from lc_node.merkle import leaf_hash, tree_root

HEADER_BYTES: Final = 512
"""More than any header takes; the builder leaves this much room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What followed from a block."""

    state: State
    events: Sequence[Record]
    """In order; the block's receipts."""


def apply_block(
    parent: State, block: Block, params: ProtocolParams, verified: Container[Digest] = ()
) -> Applied:
    """Execute a block on its parent's state, which is not changed.

    Whether its proposer leads the view, its parent's id and its time against the clock are the
    consensus's to check. ``verified`` holds the hashes of signed transactions (``signed_hash``) whose
    signature was found good before.

    Raises:
        InvalidBlock: a rule is broken; the class says which.
    """
    header = block.header
    validate_place(parent, header)
    leaves = validate_transactions_root(block, params)
    state, context = enter_block(
        parent,
        params,
        view=header.view,
        proposer=header.proposer,
        time=header.time,
        reveal=header.reveal,
    )
    process_deadlines(state, context)
    for index, signed in enumerate(block.transactions):
        try:
            apply_transaction(state, context, signed, is_verified=leaves[index] in verified)
        except InvalidTransaction as error:
            raise BadTransaction(index, error) from error
    validate_next_set(process_epoch_end(state, context), header)
    validate_state_root(state, header)
    return Applied(state=state, events=tuple(context.events))


def enter_block(
    parent: State,
    params: ProtocolParams,
    *,
    view: View,
    proposer: PublicKey,
    time: Millis,
    reveal: Link,
) -> tuple[State, BlockContext]:
    """Return the state as the block's first rule finds it: its view, time, reveal and beacon taken.

    Raises:
        TimeNotAfterParent, BadReveal: the header cannot follow on this parent.
    """
    if time <= parent.meta.time:
        raise TimeNotAfterParent(parent.meta.time, time)
    account = parent.account(proposer)
    if account.link != (link_above(reveal),):
        raise BadReveal(proposer)
    state = parent.child()
    service = replace(account.service, blocks=account.service.blocks + 1)
    state.set_account(proposer, replace(account, link=(reveal,), service=service))
    meta = replace(
        parent.meta,
        height=Height(parent.meta.height + 1),
        time=time,
        beacon=next_beacon(parent.meta.beacon, reveal),
        view=view,
    )
    state.set_meta(meta)
    count_missed(state, parent.meta.view, view)
    return state, get_block_context(state, params)


def get_block_context(state: State, params: ProtocolParams) -> BlockContext:
    """Return what rules may know of the block that a state's meta record describes."""
    meta = state.meta
    return BlockContext(
        params=params,
        chain_id=meta.chain_id,
        height=meta.height,
        epoch=meta.epoch,
        time=meta.time,
        beacon=meta.beacon,
        events=[],
    )


def apply_transaction(
    state: State, block: BlockContext, signed: SignedTransaction, *, is_verified: bool
) -> None:
    """Let a transaction have its effect.

    Raises:
        InvalidTransaction: a rule is broken; the state may have changed in part: drop it.
    """
    transaction = signed.transaction
    validate_scope(transaction, block)
    process_envelope(state, block, transaction)
    name = transaction_id(transaction)
    if not is_verified and not verify(transaction.sender, name, signed.signature):
        raise BadSignature
    context = Context(
        params=block.params,
        chain_id=block.chain_id,
        height=block.height,
        epoch=block.epoch,
        time=block.time,
        beacon=block.beacon,
        events=block.events,
        sender=transaction.sender,
        transaction_id=name,
    )
    process_body(state, context, transaction.body)


def validate_scope(transaction: Transaction, block: BlockContext) -> None:
    """Check that a transaction was meant for this chain and this time.

    Raises:
        WrongChain, Expired: it was not.
    """
    if transaction.chain_id != block.chain_id:
        raise WrongChain(block.chain_id, transaction.chain_id)
    if transaction.valid_until < block.height:
        raise Expired(transaction.valid_until, block.height)


def validate_place(parent: State, header: Header) -> None:
    """Check the fields that the parent's state alone decides.

    Raises:
        WrongPlace: one of them differs.
    """
    meta = parent.meta
    expected = (
        ("chain_id", meta.chain_id, header.chain_id),
        ("height", meta.height + 1, header.height),
        ("epoch", meta.epoch, header.epoch),
        ("set_hash", set_hash(parent.validators), header.set_hash),
    )
    for field, ours, theirs in expected:
        if ours != theirs:
            raise WrongPlace(field, ours, theirs)


def validate_transactions_root(block: Block, params: ProtocolParams) -> Sequence[bytes]:
    """Check the block's size and its transactions against the header; return their hashes.

    Raises:
        BlockTooLarge, WrongRoot: a limit is passed, or the header speaks of other transactions.
    """
    header, transactions = block.header, block.transactions
    if len(transactions) > params.block_transactions_max:
        raise BlockTooLarge("transactions", params.block_transactions_max, len(transactions))
    encoded = [encode(signed) for signed in transactions]
    size = HEADER_BYTES + sum(map(len, encoded))
    if size > params.block_bytes_max:
        raise BlockTooLarge("bytes", params.block_bytes_max, size)
    leaves = [leaf_hash(data) for data in encoded]
    root = tree_root(leaves)
    if header.transactions_root != root:
        raise WrongRoot("transactions_root", root, header.transactions_root)
    return leaves


def validate_next_set(next_set: tuple[Digest, ...], header: Header) -> None:
    """Check what the header says of the next epoch's validators, if this block ends an epoch.

    Raises:
        WrongPlace: it says something else.
    """
    if header.next_set_hash != next_set:
        raise WrongPlace("next_set_hash", next_set, header.next_set_hash)


def validate_state_root(state: State, header: Header) -> None:
    """Check that we arrive where the proposer arrived.

    Raises:
        WrongRoot: we do not.
    """
    root = state.root()
    if header.state_root != root:
        raise WrongRoot("state_root", root, header.state_root)


def signed_hash(signed: SignedTransaction) -> Digest:
    """Return the hash of a transaction with its signature: its leaf under the transactions' root."""
    return Digest(leaf_hash(encode(signed)))
