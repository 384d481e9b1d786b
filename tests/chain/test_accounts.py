"""Accounts: transfers, bonds, nonces, token buckets, and what a ban or a suspension takes away."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lc_node.chain.accounts import (
    get_tokens,
    process_bond,
    process_envelope,
    process_transfer,
    process_unbond,
)
from lc_node.chain.bans import ban, release, suspend
from lc_node.chain.context import BlockContext, Context
from lc_node.chain.credits import charge, get_credits_total, pay, slash, validate_balance
from lc_node.chain.errors import (
    InsufficientBalance,
    InsufficientBond,
    InvalidTransaction,
    NonceTooLow,
    NothingToDo,
    RecipientBanned,
    SenderBanned,
    SenderSuspended,
    TooFrequent,
    TooManyUnbondings,
)
from lc_node.chain.genesis import initial_state
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.records import Account
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    Body,
    Bond,
    Open,
    TopUp,
    Transaction,
    Transfer,
    Unbond,
    VerdictCommit,
)
from lc_node.chain.types import (
    ByteCount,
    Digest,
    Epoch,
    Height,
    JobId,
    Link,
    MicroCredits,
    Millis,
    MilliTokens,
    ModelRoot,
    Nonce,
    PublicKey,
    Salt,
)
from tests.chain.actors import ANNA, BERT, OFFER, START, Person, context_of, genesis

ZERO = Digest(bytes(32))
JOB, OTHER_JOB = JobId(Digest(b"\x01" * 32)), JobId(Digest(b"\x02" * 32))
STRANGER = PublicKey(b"\x07" * 32)
OPEN = Open(job=JOB, model_root=ModelRoot(ZERO), model_bytes=ByteCount(1), salt=Salt(ZERO))
COMMIT = VerdictCommit(job=JOB, candidate=STRANGER, commitment=ZERO)
TOP_UP = TopUp(job=JOB, amount=MicroCredits(1))


def transfer(amount: int, to: PublicKey = BERT.public_key) -> Transfer:
    return Transfer(to=to, amount=MicroCredits(amount), memo=b"")


def bond(amount: int, *, link: tuple[Link, ...] = ()) -> Bond:
    return Bond(amount=MicroCredits(amount), link=link, resources=())


def unbond(amount: int) -> Unbond:
    return Unbond(amount=MicroCredits(amount))


@pytest.fixture
def state() -> State:
    return initial_state(genesis()).child()


def balance(state: State, who: Person) -> int:
    return state.account(who.public_key).balance


def with_account(state: State, **changes: object) -> State:
    account = replace(state.account(ANNA.public_key), **changes)
    state.set_account(ANNA.public_key, account)
    return state


def later(state: State, *, ms: int = 0, epochs: int = 0) -> Context:
    context = context_of(state, ANNA)
    return replace(context, time=Millis(context.time + ms), epoch=Epoch(context.epoch + epochs))


def admit(state: State, block: BlockContext, body: Body, *, nonce: int = 1) -> Account:
    """Let Anna send a body; return her account after it was admitted."""
    transaction = Transaction(
        chain_id=block.chain_id,
        sender=ANNA.public_key,
        nonce=Nonce(nonce),
        valid_until=Height(9),
        body=body,
    )
    process_envelope(state, block, transaction)
    return state.account(ANNA.public_key)


# Transfers.


def test_a_transfer_moves_credits(state: State) -> None:
    process_transfer(state, context_of(state, ANNA), transfer(5))

    assert balance(state, ANNA) == 1_000 * CREDIT - 5
    assert balance(state, BERT) == 1_000 * CREDIT + 5


def test_a_transfer_to_oneself_changes_nothing(state: State) -> None:
    process_transfer(state, context_of(state, ANNA), transfer(5, to=ANNA.public_key))

    assert balance(state, ANNA) == 1_000 * CREDIT


def test_a_transfer_opens_the_account_of_a_new_key(state: State) -> None:
    process_transfer(state, context_of(state, ANNA), transfer(5, to=STRANGER))

    time = state.meta.time
    assert state.account(STRANGER) == Account(balance=MicroCredits(5), tokens_at=time)


def test_credits_that_come_refill_no_tokens_for_the_time_before(state: State) -> None:
    process_transfer(state, context_of(state, ANNA), transfer(500 * CREDIT, to=STRANGER))

    assert get_tokens(state.account(STRANGER), DEVNET, state.meta.time) == 0


# Bonds.


def test_a_bond_leaves_the_balance_and_counts_from_the_next_epoch(state: State) -> None:
    process_bond(state, context_of(state, ANNA), bond(5 * CREDIT))
    account = state.account(ANNA.public_key)

    assert (account.balance, account.bond) == (995 * CREDIT, 105 * CREDIT)
    assert account.epoch_bond == 100 * CREDIT


def test_a_new_link_waits_for_the_next_epoch_and_a_new_offer_does_not(state: State) -> None:
    offer = replace(OFFER, gpus=2)
    body = Bond(amount=MicroCredits(0), link=(Link(ZERO),), resources=(offer,))
    process_bond(state, context_of(state, ANNA), body)
    account = state.account(ANNA.public_key)

    assert account.link == (ANNA.links.commitment,)
    assert account.next_link == (ZERO,)
    assert account.resources == (offer,)


def test_a_bond_keeps_link_and_offer_that_it_does_not_name(state: State) -> None:
    process_bond(state, context_of(state, ANNA), bond(0, link=(Link(ZERO),)))
    process_bond(state, context_of(state, ANNA), bond(1))
    account = state.account(ANNA.public_key)

    assert (account.next_link, account.resources) == ((ZERO,), (OFFER,))


def test_unbonding_credits_count_and_can_be_slashed_until_they_are_released(state: State) -> None:
    process_unbond(state, context_of(state, ANNA), unbond(30 * CREDIT))
    account = state.account(ANNA.public_key)

    assert (account.balance, account.bond) == (1_000 * CREDIT, 70 * CREDIT)
    assert account.epoch_bond == account.slashable == 100 * CREDIT


@pytest.mark.parametrize(
    ("ms", "epochs", "released"),
    [
        (DEVNET.unbonding_ms, DEVNET.unbonding_epochs, 5),
        (DEVNET.unbonding_ms - 1, DEVNET.unbonding_epochs, 0),
        (DEVNET.unbonding_ms, DEVNET.unbonding_epochs - 1, 0),
    ],
)
def test_unbonding_ends_when_both_time_and_epochs_have_passed(
    state: State, ms: int, epochs: int, released: int
) -> None:
    process_unbond(state, context_of(state, ANNA), unbond(5))
    account = admit(state, later(state, ms=ms, epochs=epochs), TOP_UP)

    assert account.balance == 1_000 * CREDIT + released
    assert account.slashable == 100 * CREDIT - released


def test_only_so_many_withdrawals_are_under_way(state: State) -> None:
    for _ in range(DEVNET.unbondings_max):
        process_unbond(state, context_of(state, ANNA), unbond(1))

    with pytest.raises(TooManyUnbondings):
        process_unbond(state, context_of(state, ANNA), unbond(1))


Act = Callable[[State, Context], None]
REFUSED: tuple[tuple[type[InvalidTransaction], Act], ...] = (
    (NothingToDo, lambda state, context: process_transfer(state, context, transfer(0))),
    (NothingToDo, lambda state, context: process_bond(state, context, bond(0))),
    (NothingToDo, lambda state, context: process_unbond(state, context, unbond(0))),
    (
        InsufficientBalance,
        lambda state, context: process_transfer(state, context, transfer(1_000 * CREDIT + 1)),
    ),
    (
        InsufficientBalance,
        lambda state, context: process_bond(state, context, bond(1_000 * CREDIT + 1)),
    ),
    (
        InsufficientBond,
        lambda state, context: process_unbond(state, context, unbond(100 * CREDIT + 1)),
    ),
    (
        RecipientBanned,
        lambda state, context: process_transfer(state, context, transfer(1, to=STRANGER)),
    ),
)


@pytest.mark.parametrize(("error", "act"), REFUSED)
def test_a_refused_request_changes_nothing(
    state: State, error: type[InvalidTransaction], act: Act
) -> None:
    ban(state, STRANGER, START)
    before = state.root()

    with pytest.raises(error) as caught:
        act(state, context_of(state, ANNA))

    assert state.root() == before
    assert caught.value.code == error.__name__


# Who may send, and how often.


def test_a_nonce_may_jump_but_not_return(state: State) -> None:
    block = context_of(state, ANNA)

    assert admit(state, block, TOP_UP, nonce=7).nonce == 7
    with pytest.raises(NonceTooLow):
        admit(state, block, TOP_UP, nonce=7)


def test_a_transaction_takes_a_token(state: State) -> None:
    account = admit(state, context_of(state, ANNA), TOP_UP)

    assert (account.tokens, account.tokens_at) == (DEVNET.tokens_max - 1_000, START)


def test_an_empty_bucket_refuses(state: State) -> None:
    with_account(state, tokens=MilliTokens(999), tokens_at=START)

    with pytest.raises(TooFrequent):
        admit(state, context_of(state, ANNA), TOP_UP)


@pytest.mark.parametrize("duty", [OPEN, COMMIT])
def test_a_duty_takes_no_token(state: State, duty: Body) -> None:
    with_account(state, tokens=MilliTokens(0), tokens_at=START)

    assert admit(state, context_of(state, ANNA), duty).tokens == 0


@pytest.mark.parametrize(
    ("owned", "bonded", "refill"),
    [
        (DEVNET.balance_min, 0, 50_000),
        (DEVNET.balance_min - 1, 0, 0),
        (DEVNET.balance_min - 1, 10 * CREDIT, 1_000),
        (DEVNET.balance_min, 10 * CREDIT, 51_000),
        (0, 10**9 * CREDIT, DEVNET.tokens_max),
    ],
)
def test_a_bucket_refills_by_balance_and_bond(owned: int, bonded: int, refill: int) -> None:
    account = Account(
        balance=MicroCredits(owned), epoch_bond=MicroCredits(bonded), tokens_at=START
    )

    assert get_tokens(account, DEVNET, Millis(START + 1_000)) == refill


# Suspension and ban.


@pytest.mark.parametrize("body", [transfer(1), bond(1), unbond(1)])
def test_a_suspended_account_moves_no_credits(state: State, body: Body) -> None:
    suspend(state, ANNA.public_key, JOB)

    with pytest.raises(SenderSuspended):
        admit(state, context_of(state, ANNA), body)


def test_a_suspended_account_may_do_the_rest(state: State) -> None:
    suspend(state, ANNA.public_key, JOB)

    assert admit(state, context_of(state, ANNA), OPEN).nonce == 1


def test_a_suspension_ends_with_the_last_of_its_jobs(state: State) -> None:
    for job in (OTHER_JOB, JOB, JOB):
        suspend(state, ANNA.public_key, job)
    assert state.account(ANNA.public_key).suspended_by == (JOB, OTHER_JOB)

    release(state, ANNA.public_key, JOB)
    assert state.account(ANNA.public_key).is_suspended
    release(state, ANNA.public_key, OTHER_JOB)
    assert not state.account(ANNA.public_key).is_suspended


def test_a_banned_key_sends_nothing(state: State) -> None:
    ban(state, ANNA.public_key, START)

    with pytest.raises(SenderBanned):
        admit(state, context_of(state, ANNA), OPEN)


def test_a_ban_burns_all_that_the_account_owns_but_keeps_its_link(state: State) -> None:
    process_unbond(state, context_of(state, ANNA), unbond(5))

    burned = ban(state, ANNA.public_key, START)

    account = state.account(ANNA.public_key)
    assert burned == state.meta.burned == 1_100 * CREDIT
    assert (account.balance, account.slashable, account.epoch_bond) == (0, 0, 0)
    assert account.link == (ANNA.links.commitment,)
    assert get_credits_total(state) == state.meta.genesis_credits


def test_a_second_ban_changes_nothing(state: State) -> None:
    ban(state, ANNA.public_key, START)

    assert ban(state, ANNA.public_key, Millis(START + 1)) == 0
    assert state.account(ANNA.public_key).banned_at == START


def test_what_was_taken_can_be_paid(state: State) -> None:
    charge(state, BERT.public_key, MicroCredits(7))
    pay(state, ANNA.public_key, MicroCredits(7))

    assert balance(state, ANNA) == 1_000 * CREDIT + 7
    assert get_credits_total(state) == state.meta.genesis_credits


@pytest.mark.parametrize("check", [validate_balance, charge])
def test_nobody_is_charged_more_than_it_owns(
    state: State, check: Callable[[State, PublicKey, MicroCredits], None]
) -> None:
    validate_balance(state, ANNA.public_key, MicroCredits(1_000 * CREDIT))

    with pytest.raises(InsufficientBalance) as caught:
        check(state, ANNA.public_key, MicroCredits(1_000 * CREDIT + 1))
    assert (caught.value.balance, caught.value.needed) == (1_000 * CREDIT, 1_000 * CREDIT + 1)


def test_what_is_paid_to_a_banned_key_is_burned(state: State) -> None:
    ban(state, ANNA.public_key, START)
    charge(state, BERT.public_key, MicroCredits(7))
    pay(state, ANNA.public_key, MicroCredits(7))

    assert balance(state, ANNA) == 0
    assert get_credits_total(state) == state.meta.genesis_credits


@pytest.mark.parametrize(
    ("amount", "bond_left", "unbonding_left", "weight_left"),
    [
        (50, 20, (10, 20), 50),
        (70, 0, (10, 20), 30),
        (75, 0, (10, 15), 25),
        (90, 0, (10,), 10),
        (95, 0, (5,), 5),
        (101, 0, (), 0),
    ],
)
def test_a_slash_takes_the_bond_then_the_latest_withdrawals(
    state: State, amount: int, bond_left: int, unbonding_left: tuple[int, ...], weight_left: int
) -> None:
    with_account(state, bond=MicroCredits(100), epoch_bond=MicroCredits(100))
    for part in (10, 20):
        process_unbond(state, context_of(state, ANNA), unbond(part))

    taken = slash(state, ANNA.public_key, MicroCredits(amount))

    account = state.account(ANNA.public_key)
    assert taken == min(amount, 100)
    assert account.bond == bond_left
    assert tuple(entry.amount for entry in account.unbonding) == unbonding_left
    assert account.epoch_bond == weight_left
