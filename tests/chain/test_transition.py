"""Blocks: what makes one invalid, and that builder and verifier agree."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from lc_node.chain.beacon import next_beacon
from lc_node.chain.blocks import BLOCK_DECODER, Block
from lc_node.chain.builder import Slot, build_block, has_work
from lc_node.chain.codec import encode
from lc_node.chain.credits import get_credits_total
from lc_node.chain.errors import (
    BadReveal,
    BadSignature,
    BadTransaction,
    BlockTooLarge,
    Expired,
    InvalidBlock,
    TimeNotAfterParent,
    WrongChain,
    WrongPlace,
    WrongRoot,
)
from lc_node.chain.genesis import genesis_id, initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.params import CREDIT, DEVNET, ProtocolParams
from lc_node.chain.state import State
from lc_node.chain.transactions import SignedTransaction, Transfer
from lc_node.chain.transition import apply_block, signed_hash
from lc_node.chain.types import (
    ChainId,
    Digest,
    Height,
    Link,
    MicroCredits,
    Millis,
    Signature,
    View,
)
from lc_node.merkle import leaf_hash, tree_root
from tests.chain.actors import ANNA, BERT, CLEO, START, Person, genesis, signed

ME = Source(b"")
ZERO = Digest(bytes(32))


@pytest.fixture
def parent() -> State:
    return initial_state(genesis())


def slot_on(state: State, *, proposer: Person = ANNA, time: int | None = None) -> Slot:
    return Slot(
        view=View(1),
        parent_id=genesis_id(genesis()),
        proposer=proposer.public_key,
        time=Millis(state.meta.time + 100 if time is None else time),
        reveal=proposer.reveal(state),
    )


def pay(
    state: State, who: Person, to: Person, amount: int, *, nonce: int = 1, valid_until: int = 100
) -> SignedTransaction:
    body = Transfer(to=to.public_key, amount=MicroCredits(amount), memo=b"")
    name = state.meta.chain_id
    return signed(who, body, chain_id=name, nonce=nonce, valid_until=valid_until)


def built(
    state: State, *transactions: SignedTransaction, params: ProtocolParams = DEVNET
) -> Block:
    """Return Anna's block of what the mempool of a node takes of some transactions."""
    mempool = Mempool(DEVNET)
    for transaction in transactions:
        mempool.add(transaction, state, state.meta.time, ME)
    return build_block(state, mempool.candidates(), slot_on(state), params)[0]


def resealed(block: Block, *transactions: SignedTransaction) -> Block:
    """Return a block with other transactions, the root over them set right."""
    root = Digest(tree_root([leaf_hash(encode(item)) for item in transactions]))
    header = replace(block.header, transactions_root=root)
    return Block(header=header, transactions=transactions)


def test_a_built_block_is_valid_and_moves_what_it_says(parent: State) -> None:
    block = built(parent, pay(parent, BERT, CLEO, 5), pay(parent, CLEO, BERT, 7))

    state = apply_block(parent, block, DEVNET).state

    assert len(block.transactions) == 2
    assert state.root() == block.header.state_root
    assert state.account(BERT.public_key).balance == 1_000 * CREDIT + 2
    assert get_credits_total(state) == parent.meta.genesis_credits


def test_a_block_travels_as_bytes(parent: State) -> None:
    block = built(parent, pay(parent, BERT, CLEO, 5))

    assert BLOCK_DECODER.decode(encode(block)) == block


def test_a_block_leaves_its_parents_state_alone(parent: State) -> None:
    before = parent.root()
    apply_block(parent, built(parent, pay(parent, BERT, CLEO, 5)), DEVNET)

    assert parent.root() == before


def test_a_block_advances_height_time_and_beacon_and_stores_its_reveal(parent: State) -> None:
    block = built(parent)
    state = apply_block(parent, block, DEVNET).state
    meta = state.meta

    assert (meta.height, meta.time) == (1, START + 100)
    assert meta.beacon == next_beacon(parent.meta.beacon, block.header.reveal)
    assert state.account(ANNA.public_key).link == (block.header.reveal,)


def test_a_chain_of_blocks_ends_where_its_replay_ends(parent: State) -> None:
    state, blocks = parent, []
    for nonce in range(1, 6):
        block = built(state, pay(state, BERT, CLEO, nonce, nonce=nonce))
        state = apply_block(state, block, DEVNET).state
        blocks.append(block)
        if nonce % 2:
            state.flatten()

    replayed = initial_state(genesis())
    for block in blocks:
        replayed = apply_block(replayed, block, DEVNET).state
    assert replayed.root() == state.root()
    assert replayed.account(CLEO.public_key).balance == 1_000 * CREDIT + 15


Change = Callable[[Block], Block]


def header_with(**changes: Any) -> Change:
    return lambda block: replace(block, header=replace(block.header, **changes))


INVALID: tuple[tuple[type[InvalidBlock], Change], ...] = (
    (WrongPlace, header_with(chain_id=ChainId(ZERO))),
    (WrongPlace, header_with(height=Height(2))),
    (WrongPlace, header_with(epoch=1)),
    (WrongPlace, header_with(set_hash=ZERO)),
    (WrongPlace, header_with(next_set_hash=(ZERO,))),
    (TimeNotAfterParent, header_with(time=START)),
    (BadReveal, header_with(reveal=Link(ZERO))),
    (BadReveal, header_with(proposer=BERT.public_key)),
    (WrongRoot, header_with(transactions_root=ZERO)),
    (WrongRoot, header_with(state_root=ZERO)),
    (WrongRoot, lambda block: replace(block, transactions=())),
)


@pytest.mark.parametrize(("error", "change"), INVALID)
def test_a_block_that_breaks_a_rule_is_refused_by_name(
    parent: State, error: type[InvalidBlock], change: Change
) -> None:
    block = change(built(parent, pay(parent, BERT, CLEO, 5)))

    with pytest.raises(error):
        apply_block(parent, block, DEVNET)


def test_a_proposer_without_a_link_makes_no_block(parent: State) -> None:
    state = parent.child()
    state.set_account(ANNA.public_key, replace(state.account(ANNA.public_key), link=()))

    with pytest.raises(BadReveal):
        build_block(state, (), slot_on(parent), DEVNET)


@pytest.mark.parametrize(
    ("cause", "change"),
    [
        (BadSignature, {"signature": Signature(bytes(64))}),
        (WrongChain, {"chain_id": ChainId(ZERO)}),
        (Expired, {"valid_until": Height(0)}),
    ],
)
def test_a_block_with_an_invalid_transaction_is_refused(
    parent: State, cause: type[Exception], change: dict[str, Any]
) -> None:
    good = pay(parent, BERT, CLEO, 5)
    bad = replace(
        good,
        signature=change.pop("signature", good.signature),
        transaction=replace(good.transaction, **change),
    )

    with pytest.raises(BadTransaction) as caught:
        apply_block(parent, resealed(built(parent), bad), DEVNET)

    assert caught.value.index == 0
    assert isinstance(caught.value.cause, cause)


def test_a_transaction_is_not_replayed(parent: State) -> None:
    transaction = pay(parent, BERT, CLEO, 5)
    state = apply_block(parent, built(parent, transaction), DEVNET).state

    with pytest.raises(BadTransaction, match="nonce"):
        apply_block(state, resealed(built(state), transaction), DEVNET)


def test_a_signature_that_was_verified_is_not_verified_again(parent: State) -> None:
    forged = replace(pay(parent, BERT, CLEO, 5), signature=Signature(bytes(64)))
    block = resealed(built(parent), forged)

    with pytest.raises(WrongRoot):  # all transactions passed; only the root is another's
        apply_block(parent, block, DEVNET, verified={signed_hash(forged)})


def test_a_good_signature_says_nothing_of_another_one_on_the_same_transaction(
    parent: State,
) -> None:
    good = pay(parent, BERT, CLEO, 5)
    forged = replace(good, signature=Signature(bytes(64)))

    with pytest.raises(BadTransaction):
        apply_block(parent, resealed(built(parent), forged), DEVNET, verified={signed_hash(good)})


def test_a_block_holds_only_so_many_transactions(parent: State) -> None:
    two = [pay(parent, BERT, CLEO, 5, nonce=nonce) for nonce in (1, 2)]
    params = replace(DEVNET, block_transactions_max=1)

    assert len(built(parent, *two, params=params).transactions) == 1
    with pytest.raises(BlockTooLarge, match="transactions"):
        apply_block(parent, built(parent, *two), params)


def test_a_block_holds_only_so_many_bytes(parent: State) -> None:
    two = [pay(parent, BERT, CLEO, 5, nonce=nonce) for nonce in (1, 2)]
    params = replace(DEVNET, block_bytes_max=512 + len(encode(two[0])))

    assert len(built(parent, *two, params=params).transactions) == 1
    with pytest.raises(BlockTooLarge, match="bytes"):
        apply_block(parent, built(parent, *two), params)


def test_a_header_takes_no_more_room_than_is_kept_for_it(parent: State) -> None:
    largest = replace(built(parent).header, next_set_hash=(ZERO,), time=Millis(2**63 - 1))

    assert len(encode(largest)) < 512


def test_the_builder_leaves_out_what_others_made_invalid(parent: State) -> None:
    everything = [
        pay(parent, BERT, CLEO, 1_000 * CREDIT, nonce=1),
        pay(parent, BERT, ANNA, 1_000 * CREDIT, nonce=2),
    ]
    block = built(parent, *everything)

    assert block.transactions == (everything[0],)
    assert apply_block(parent, block, DEVNET).state.root() == block.header.state_root


def test_no_block_is_built_at_its_parents_time(parent: State) -> None:
    with pytest.raises(TimeNotAfterParent):
        build_block(parent, (), slot_on(parent, time=START), DEVNET)


def test_there_is_work_while_a_transaction_waits(parent: State) -> None:
    mempool = Mempool(DEVNET)
    assert not has_work(parent, mempool, START)
    mempool.add(pay(parent, BERT, CLEO, 5), parent, START, ME)
    assert has_work(parent, mempool, START)

    block, applied = build_block(parent, mempool.candidates(), slot_on(parent), DEVNET)

    assert len(block.transactions) == 1
    assert not has_work(applied.state, mempool, START)
