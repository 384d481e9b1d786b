"""The end of an epoch: who votes next, what counts from now on, and what is issued."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lc_node.chain.audit import Books
from lc_node.chain.bans import ban
from lc_node.chain.committee import count_duty
from lc_node.chain.errors import (
    AlreadyReady,
    InvalidTransaction,
    NothingBonded,
    WrongEpoch,
    WrongPlace,
)
from lc_node.chain.events import EpochBegan, Paid, Reason
from lc_node.chain.params import CREDIT, DAY_MS, HOUR_MS, MAINNET
from lc_node.chain.records import NO_SERVICE
from lc_node.chain.state import State
from lc_node.chain.transactions import Body, Evidence, Ready, Transfer
from lc_node.chain.transition import apply_block
from lc_node.chain.types import ZERO_DIGEST, BlockId, Digest, Epoch, MicroCredits, Millis, View
from lc_node.chain.validators import set_hash
from lc_node.chain.votes import Subject, Vote, VoteKind, vote_message
from tests.chain.actors import ANNA, BERT, CLEO, DORA, Person, account_of, genesis_of
from tests.chain.epoch_chain import (
    FOUR,
    HEIGHTS,
    SHORT,
    Chain,
    bond,
    four_members,
    hourly,
    unbond,
)

ALL_AT_100 = {"anna": 100, "bert": 100, "cleo": 100, "dora": 100}


@pytest.fixture
def chain() -> Chain:
    return Chain(four_members())


def vote_of(who: Person, chain: Chain, *, epoch: int, block: bytes) -> Vote:
    subject = Subject(parent_view=View(0), block_id=BlockId(Digest(block)))
    kind, when, view = VoteKind.NOTARIZE, Epoch(epoch), View(1)
    message = vote_message(chain.state.meta.chain_id, kind, when, view, subject)
    return Vote(
        kind=kind,
        epoch=when,
        view=view,
        subject=subject,
        signer=who.public_key,
        signature=who.sign(message),
    )


def double_vote(who: Person, chain: Chain, *, epoch: int) -> Evidence:
    first, second = (vote_of(who, chain, epoch=epoch, block=bytes([n]) * 32) for n in (1, 2))
    return Evidence(first=first, second=second)


# Where an epoch ends.


def test_the_block_after_the_last_height_is_of_the_next_epoch(chain: Chain) -> None:
    for _ in range(HEIGHTS + 1):
        chain.step()

    assert [block.header.epoch for block in chain.blocks] == [0, 0, 0, 1]


def test_only_the_last_header_of_an_epoch_names_the_next_set(chain: Chain) -> None:
    chain.finish(*FOUR)

    named = [block.header.next_set_hash for block in chain.blocks]
    assert named == [(), (), (set_hash(chain.state.validators),)]


def test_a_last_block_that_names_another_set_is_refused(chain: Chain) -> None:
    chain.step().step()
    chain.make()
    block = chain.blocks[-1]
    false = replace(block, header=replace(block.header, next_set_hash=(Digest(ZERO_DIGEST),)))

    with pytest.raises(WrongPlace, match="next_set_hash"):
        apply_block(chain.state, false, chain.params)


def test_a_block_in_the_middle_of_an_epoch_names_no_next_set(chain: Chain) -> None:
    chain.make()
    block = chain.blocks[-1]
    false = replace(block, header=replace(block.header, next_set_hash=(Digest(ZERO_DIGEST),)))

    with pytest.raises(WrongPlace, match="next_set_hash"):
        apply_block(chain.state, false, chain.params)


def test_an_epoch_without_length_never_ends() -> None:
    chain = Chain(four_members(params=replace(SHORT, epoch_heights=0)))
    for _ in range(HEIGHTS + 1):
        chain.step()

    assert chain.state.meta.epoch == 0


def test_the_receipts_tell_who_votes_from_now_on(chain: Chain) -> None:
    chain.finish(*FOUR)

    told = [event for event in chain.events if isinstance(event, EpochBegan)]
    assert [event.validators for event in told] == [chain.state.validators]


def test_a_snapshot_taken_after_an_epoch_goes_on_as_its_original(chain: Chain) -> None:
    chain.finish(*FOUR)
    copy = State.load(chain.state.commitment().entries())
    chain.step((BERT, bond(5))).step()
    first, second = chain.blocks[-2:]
    state = apply_block(copy, first, chain.params).state
    state.flatten()

    assert apply_block(state, second, chain.params).state.root() == chain.state.root()


# Who is ready.


def test_who_is_ready_votes_in_the_next_epoch() -> None:
    chain = Chain(four_members(members=(ANNA,)))

    assert chain.finish(*FOUR).members == ALL_AT_100


def test_who_is_not_ready_leaves(chain: Chain) -> None:
    params = replace(SHORT, validators_ready_min=3)
    chain = Chain(four_members(params=params)).finish(ANNA, BERT, CLEO)

    assert chain.members == {"anna": 100, "bert": 100, "cleo": 100}


def test_with_fewer_than_four_that_are_ready_the_old_set_goes_on(chain: Chain) -> None:
    assert chain.finish(ANNA, BERT, CLEO).members == ALL_AT_100


def test_without_two_thirds_of_the_old_weight_the_old_set_goes_on() -> None:
    params = replace(SHORT, validators_ready_min=2)
    chain = Chain(four_members(params=params, members=(ANNA, BERT))).finish(ANNA, CLEO, DORA)

    assert chain.members == {"anna": 100, "bert": 100}


def test_exactly_two_thirds_of_the_old_weight_are_enough() -> None:
    params = replace(SHORT, validators_ready_min=3)
    chain = Chain(four_members(params=params, members=(ANNA, BERT, CLEO))).finish(ANNA, BERT, DORA)

    assert chain.members == {"anna": 100, "bert": 100, "dora": 100}


def test_a_set_that_goes_on_has_its_present_bonds(chain: Chain) -> None:
    chain.step((BERT, bond(50)))

    assert chain.finish(ANNA).members == {**ALL_AT_100, "bert": 150}


def test_a_set_that_goes_on_does_so_without_who_has_withdrawn_everything(chain: Chain) -> None:
    chain.step((BERT, unbond(100)))

    assert chain.finish(ANNA).members == {"anna": 100, "cleo": 100, "dora": 100}


def test_where_nobody_has_a_bond_left_all_go_on_at_their_old_weights(chain: Chain) -> None:
    chain.step(*((who, unbond(100)) for who in FOUR))

    assert chain.finish().members == ALL_AT_100


def test_a_bond_below_the_minimum_is_not_taken_into_a_set() -> None:
    params = replace(SHORT, validators_ready_min=3)
    chain = Chain(four_members(params=params)).step((DORA, unbond(91)))

    assert chain.finish(*FOUR).members == {"anna": 100, "bert": 100, "cleo": 100}


def test_who_has_no_beacon_link_is_not_taken_into_a_set() -> None:
    accounts = [account_of(who) for who in (ANNA, BERT, CLEO)]
    params = replace(SHORT, validators_ready_min=3)
    document = genesis_of(
        *accounts, replace(account_of(DORA), link=()), members=(ANNA, BERT, CLEO), params=params
    )

    assert "dora" not in Chain(document).finish(*FOUR).members


def test_of_too_many_the_heaviest_are_taken() -> None:
    params = replace(SHORT, validators_max=3, validators_ready_min=3)
    members = (ANNA, BERT, CLEO)
    chain = Chain(four_members(params=params, members=members)).step((DORA, bond(1)))

    assert len(chain.finish(*FOUR).members) == 3
    assert chain.members["dora"] == 101


def test_a_wish_to_validate_counts_for_one_epoch(chain: Chain) -> None:
    params = replace(SHORT, validators_ready_min=3)
    chain = Chain(four_members(params=params)).finish(*FOUR).finish(ANNA, BERT, CLEO)

    assert "dora" not in chain.members


@pytest.mark.parametrize(
    ("refusal", "wishes"),
    [
        (WrongEpoch, [Ready(epoch=Epoch(1))]),
        (AlreadyReady, [Ready(epoch=Epoch(0)), Ready(epoch=Epoch(0))]),
        (NothingBonded, [unbond(100), Ready(epoch=Epoch(0))]),
    ],
)
def test_a_wish_to_validate_may_be_refused(
    chain: Chain, refusal: type[Exception], wishes: list[Body]
) -> None:
    *first, last = wishes
    for body in first:
        chain.step((BERT, body))

    with pytest.raises(refusal):
        chain.step((BERT, last))


# What counts from now on.


def test_a_bond_counts_from_the_next_epoch(chain: Chain) -> None:
    chain.step((BERT, bond(50)))
    before = chain.account(BERT).epoch_bond
    chain.finish()

    assert (before, chain.account(BERT).epoch_bond) == (100 * CREDIT, 150 * CREDIT)


def test_a_withdrawal_counts_from_the_next_epoch(chain: Chain) -> None:
    chain.step((BERT, unbond(40)))
    before = chain.account(BERT).epoch_bond
    chain.finish()

    assert (before, chain.account(BERT).epoch_bond) == (100 * CREDIT, 60 * CREDIT)


def test_a_new_link_counts_from_the_next_epoch(chain: Chain) -> None:
    fresh = BERT.links.below(BERT.links.commitment)
    assert fresh is not None
    chain.step((BERT, replace(bond(0), link=(fresh,))))
    before = chain.account(BERT).link
    chain.finish()

    assert (before, chain.account(BERT).link) == ((BERT.links.commitment,), (fresh,))


def test_unbonding_credits_come_back_after_two_epochs_without_being_asked_for(
    chain: Chain,
) -> None:
    chain.step((BERT, unbond(40)))
    balances = [chain.finish().account(BERT).balance // CREDIT for _ in range(2)]

    assert balances == [1_000, 1_040]


def test_unbonding_credits_do_not_come_back_before_their_time() -> None:
    chain = Chain(four_members(params=replace(SHORT, unbonding_ms=DAY_MS)))
    chain.step((BERT, unbond(40)))

    assert chain.finish().finish().finish().account(BERT).unbonding


def test_what_was_done_in_an_epoch_is_counted_anew_in_the_next(chain: Chain) -> None:
    assert chain.finish(*FOUR).account(ANNA).service == NO_SERVICE


# Bans.


def test_a_banned_validator_keeps_its_weight_until_the_epoch_ends(chain: Chain) -> None:
    chain.step((ANNA, double_vote(BERT, chain, epoch=0)))
    before = chain.members

    assert (before["bert"], "bert" in chain.finish(*(ANNA, CLEO, DORA)).members) == (100, False)


def test_a_banned_validator_can_still_propose_until_the_epoch_ends(chain: Chain) -> None:
    chain.step((ANNA, double_vote(BERT, chain, epoch=0))).step(proposer=BERT)

    assert chain.blocks[-1].header.proposer == BERT.public_key


def test_a_double_vote_of_the_epoch_before_is_still_punished(chain: Chain) -> None:
    chain.finish(*FOUR)
    chain.step((ANNA, double_vote(BERT, chain, epoch=0)))

    assert chain.account(BERT).is_banned


def test_who_left_is_punished_while_its_credits_are_unbonding(chain: Chain) -> None:
    chain.step((BERT, unbond(100))).finish()
    chain.step((ANNA, double_vote(BERT, chain, epoch=0)))

    assert chain.account(BERT).slashable == 0


# Issuance.


@pytest.fixture
def rich() -> Chain:
    """Six credits are issued at the end of each epoch of three blocks, three for them."""
    return Chain(four_members(params=replace(SHORT, issue_per_hour=hourly(6))))


def test_half_of_the_issue_goes_to_proposers_by_their_blocks(rich: Chain) -> None:
    rich.step(proposer=ANNA).step(proposer=BERT).step(proposer=BERT)

    assert [rich.account(who).balance // CREDIT for who in FOUR] == [1_001, 1_002, 1_000, 1_000]


def test_half_of_the_issue_goes_to_verifiers_by_their_duties(rich: Chain) -> None:
    for _ in range(3):
        count_duty(rich.state, CLEO.public_key)
    rich.step().step().step()

    assert rich.account(CLEO).balance == 1_003 * CREDIT


def test_where_nobody_had_a_duty_that_half_is_not_issued(rich: Chain) -> None:
    rich.finish()

    assert rich.state.meta.issued == 3 * CREDIT


def test_what_a_banned_proposer_would_get_is_not_issued(rich: Chain) -> None:
    rich.step(proposer=BERT)
    ban(rich.state, BERT.public_key, Millis(1))
    rich.books = Books(rich.state)
    rich.step(proposer=BERT).step()

    assert rich.state.meta.issued < 3 * CREDIT
    assert rich.account(BERT).balance == 0


def test_an_epoch_that_takes_very_long_issues_no_more_than_one_of_a_day() -> None:
    chain = Chain(four_members(params=replace(SHORT, issue_per_hour=MicroCredits(2 * CREDIT))))
    chain.step().step().step(after=1_000 * HOUR_MS)

    assert chain.state.meta.issued == 24 * CREDIT


def test_the_receipts_tell_what_a_proposer_gets(rich: Chain) -> None:
    rich.finish()

    told = [event for event in rich.events if isinstance(event, Paid)]
    assert [(e.to, e.reason, e.amount) for e in told] == [
        (ANNA.public_key, Reason.BLOCKS, 3 * CREDIT)
    ]


def test_a_lasting_network_has_epochs() -> None:
    assert MAINNET.epoch_heights == 600


WISHES = st.one_of(
    st.integers(1, 120).map(bond),
    st.integers(1, 120).map(unbond),
    st.integers(0, 6).map(lambda epoch: Ready(epoch=Epoch(epoch))),
    st.just(Transfer(to=ANNA.public_key, amount=MicroCredits(CREDIT), memo=b"")),
)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(FOUR), WISHES, st.sampled_from(FOUR)), min_size=4, max_size=18
    )
)
def test_over_any_epochs_credits_are_conserved_and_somebody_can_vote(
    story: list[tuple[Person, Body, Person]],
) -> None:
    params = replace(SHORT, issue_per_hour=hourly(7), validators_ready_min=2)
    chain = Chain(four_members(params=params))
    for who, body, proposer in story:
        try:
            chain.step((who, body), proposer=proposer)
        except InvalidTransaction:
            chain.step(proposer=proposer)
        validators = chain.state.validators
        assert validators.members
        assert all(member.weight for member in validators.members)
        assert validators.epoch == chain.state.meta.epoch
