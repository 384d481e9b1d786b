"""The mempool: every refusal has a name, every limit holds, and nobody crowds others out."""

import pytest
from msgspec.structs import replace

from lc_node.chain.bans import ban
from lc_node.chain.codec import encode
from lc_node.chain.errors import (
    AlreadyPending,
    BadSignature,
    InsufficientBalance,
    MempoolFull,
    TooManyPending,
    TransactionTooLarge,
)
from lc_node.chain.genesis import initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.params import CREDIT, DEVNET, ProtocolParams
from lc_node.chain.state import State
from lc_node.chain.transactions import SignedTransaction, Transfer
from lc_node.chain.transition import signed_hash
from lc_node.chain.types import Height, MicroCredits, Millis, Nonce, Signature
from tests.chain.actors import ANNA, BERT, CLEO, DORA, START, Person, genesis, signed

ME, PEER = Source(b""), Source(b"peer")


@pytest.fixture
def state() -> State:
    return initial_state(genesis())


def pay(
    state: State, who: Person, *, nonce: int = 1, amount: int = 1, valid_until: int = 100
) -> SignedTransaction:
    body = Transfer(to=DORA.public_key, amount=MicroCredits(amount), memo=b"")
    name = state.meta.chain_id
    return signed(who, body, chain_id=name, nonce=nonce, valid_until=valid_until)


def filled(
    state: State, *transactions: SignedTransaction, params: ProtocolParams = DEVNET
) -> Mempool:
    mempool = Mempool(params)
    for transaction in transactions:
        mempool.add(transaction, state, START, ME)
    return mempool


def waiting(mempool: Mempool) -> list[SignedTransaction]:
    return [pending.signed for pending in mempool.candidates()]


def richer(state: State, who: Person, *, bond: int = 0) -> State:
    account = state.account(who.public_key)
    child = state.child()
    child.set_account(
        who.public_key, replace(account, epoch_bond=MicroCredits(account.epoch_bond + bond))
    )
    return child


def test_what_was_admitted_waits_and_is_found_by_its_hash(state: State) -> None:
    mempool = Mempool(DEVNET)
    pending = mempool.add(pay(state, ANNA), state, START, ME)

    assert waiting(mempool) == [pending.signed]
    assert pending.digest in mempool
    assert mempool.get(pending.digest) == pending.signed
    assert (len(mempool), mempool.bytes) == (1, len(encode(pending.signed)))


def test_what_waits_is_named_the_oldest_first(state: State) -> None:
    second, first = pay(state, BERT), pay(state, ANNA)
    mempool = filled(state, first, second)

    assert mempool.names() == (signed_hash(first), signed_hash(second))


def test_refusals_are_counted_by_their_class(state: State) -> None:
    mempool = Mempool(DEVNET)
    mempool.add(pay(state, ANNA), state, START, ME)
    for _ in range(2):
        with pytest.raises(AlreadyPending):
            mempool.add(pay(state, ANNA), state, START, ME)

    assert mempool.refusals == {"AlreadyPending": 2}


def test_an_unknown_hash_is_not_found(state: State) -> None:
    assert filled(state).get(pay(state, ANNA).transaction.chain_id) is None


def test_admission_does_not_change_the_state(state: State) -> None:
    before = state.root()
    filled(state, pay(state, ANNA))

    assert state.root() == before


def test_the_sender_hears_at_once_which_rule_it_breaks(state: State) -> None:
    with pytest.raises(InsufficientBalance):
        filled(state, pay(state, ANNA, amount=1_001 * CREDIT))


def test_a_bad_signature_is_refused(state: State) -> None:
    with pytest.raises(BadSignature):
        filled(state, replace(pay(state, ANNA), signature=Signature(bytes(64))))


def test_a_nonce_waits_only_once(state: State) -> None:
    with pytest.raises(AlreadyPending):
        filled(state, pay(state, ANNA), pay(state, ANNA, amount=2))


def test_an_account_has_only_so_many_waiting(state: State) -> None:
    mempool = filled(state, *(pay(state, ANNA, nonce=nonce) for nonce in range(1, 17)))

    with pytest.raises(TooManyPending):
        mempool.add(pay(state, ANNA, nonce=17), state, START, ME)
    mempool.add(pay(state, BERT), state, START, ME)
    assert len(mempool) == 17


def test_what_no_decoder_takes_is_refused(state: State) -> None:
    body = Transfer(to=DORA.public_key, amount=MicroCredits(1), memo=bytes(65_536))
    large = signed(ANNA, body, chain_id=state.meta.chain_id)

    with pytest.raises(TransactionTooLarge):
        filled(state, large)


SMALL = replace(DEVNET, mempool_transactions_max=2)


def test_the_least_entitled_makes_room(state: State) -> None:
    state = richer(richer(state, ANNA, bond=2), CLEO, bond=1)
    by_anna, by_bert, by_cleo = (pay(state, who) for who in (ANNA, BERT, CLEO))

    assert waiting(filled(state, by_anna, by_bert, by_cleo, params=SMALL)) == [by_anna, by_cleo]


def test_a_full_mempool_refuses_the_least_entitled(state: State) -> None:
    state = richer(richer(state, ANNA, bond=2), CLEO, bond=1)
    mempool = filled(state, pay(state, ANNA), pay(state, CLEO), params=SMALL)

    with pytest.raises(MempoolFull):
        mempool.add(pay(state, BERT), state, START, ME)
    assert len(mempool) == 2


def test_bytes_are_limited_as_well(state: State) -> None:
    state = richer(state, BERT, bond=1)
    by_anna, by_bert = pay(state, ANNA), pay(state, BERT)
    params = replace(DEVNET, mempool_bytes_max=len(encode(by_anna)))

    assert waiting(filled(state, by_anna, by_bert, params=params)) == [by_bert]


def test_each_senders_transactions_come_in_the_order_of_their_nonces(state: State) -> None:
    late, early = pay(state, ANNA, nonce=9), pay(state, ANNA, nonce=2)

    assert waiting(filled(state, late, early)) == [early, late]


def test_sources_take_turns(state: State) -> None:
    mempool = Mempool(DEVNET)
    flood = [pay(state, ANNA, nonce=nonce) for nonce in range(1, 4)]
    for transaction in flood:
        mempool.add(transaction, state, START, PEER)
    single = pay(state, BERT)
    mempool.add(single, state, START, ME)

    assert waiting(mempool) == [flood[0], single, *flood[1:]]


def included(state: State, who: Person, *, nonce: int, height: int = 1) -> State:
    """Return a state in which an account has used a nonce."""
    child = state.child()
    child.set_account(who.public_key, replace(state.account(who.public_key), nonce=Nonce(nonce)))
    child.set_meta(replace(state.meta, height=Height(height), time=Millis(START + 100)))
    return child


def test_what_was_included_or_jumped_over_is_dropped(state: State) -> None:
    transactions = [pay(state, ANNA, nonce=nonce) for nonce in (1, 2, 3)]
    mempool = filled(state, *transactions)

    mempool.refresh(included(state, ANNA, nonce=2), START)

    assert waiting(mempool) == transactions[2:]


def test_what_its_sender_has_not_used_up_is_kept(state: State) -> None:
    transactions = [pay(state, ANNA, nonce=1), pay(state, BERT, nonce=1)]
    mempool = filled(state, *transactions)

    mempool.refresh(included(state, ANNA, nonce=1), START, [ANNA.public_key, CLEO.public_key])

    assert waiting(mempool) == transactions[1:]


def test_what_has_expired_is_dropped(state: State) -> None:
    lasting = pay(state, ANNA, nonce=2, valid_until=6)
    mempool = filled(state, pay(state, ANNA, valid_until=5), lasting)

    mempool.refresh(included(state, BERT, nonce=1, height=5), START)

    assert waiting(mempool) == [lasting]


def test_what_became_invalid_is_dropped(state: State) -> None:
    by_bert = pay(state, BERT)
    mempool = filled(state, pay(state, ANNA), by_bert)
    after = state.child()
    ban(after, ANNA.public_key, START)

    mempool.refresh(after, START)

    assert waiting(mempool) == [by_bert]


def test_there_is_something_to_include_until_a_state_includes_it(state: State) -> None:
    mempool = filled(state, pay(state, ANNA, valid_until=5))

    assert mempool.has_includable(state)
    assert not mempool.has_includable(included(state, ANNA, nonce=1))
    assert not mempool.has_includable(included(state, BERT, nonce=1, height=5))
    assert not filled(state).has_includable(state)


def test_an_emptied_mempool_takes_no_room(state: State) -> None:
    mempool = filled(state, pay(state, ANNA), pay(state, ANNA, nonce=2))
    mempool.refresh(included(state, ANNA, nonce=2), START)

    assert (len(mempool), mempool.bytes, waiting(mempool)) == (0, 0, [])
