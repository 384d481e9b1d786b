"""Whole jobs, told as stories: who is paid, who loses what, and why."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from lc_node.chain.duties import get_winner
from lc_node.chain.events import Burned, CommitteeDrawn, JobEnded, Paid, Reason
from lc_node.chain.job import Label, Outcome, Phase, Verdict
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Fault, TopUp
from lc_node.chain.types import JobId, MicroCredits
from tests.chain.market import SPEC, UNIT, Market, fault, flat, key, losses

LOSS = 500_000_000
START = 1_000 * CREDIT
BOND = 3 * CREDIT
LIE = flat(LOSS + 10**8)


@pytest.fixture
def market() -> Market:
    return Market(["sue", "bob", "eve", "mia"])


def auctioned(market: Market, *bidders: str) -> JobId:
    """Return a job on which these bid LOSS, LOSS + 1, ... and opened; the first is the candidate."""
    job = market.post()
    market.auction(job, {who: LOSS + index for index, who in enumerate(bidders)})
    return job


def gained(market: Market, *people: str) -> dict[str, int]:
    return {who: market.balance(who) - START for who in people}


def burned(market: Market, why: Reason) -> int:
    return sum(e.amount for e in market.events if isinstance(e, Burned) and e.reason is why)


def judge_until_decided(
    market: Market, job: JobId, verdict: "Verdict | Callable[[str], Verdict | None]"
) -> None:
    """Let committees of this candidate judge until one has decided."""
    done = len(market.job(job).examinations)
    while market.job(job).phase is Phase.COMMIT and len(market.job(job).examinations) == done:
        market.judge(job, verdict)


def test_an_honest_bid_wins_the_bounty_and_its_verifiers_are_paid(market: Market) -> None:
    job = auctioned(market, "bob")

    market.judge(job, flat(LOSS))

    assert gained(market, "bob", "sue") == {"bob": 10 * CREDIT, "sue": -10 * CREDIT - 3 * UNIT}
    assert gained(market, *market.members(job)) == dict.fromkeys(market.members(job), UNIT)
    (ended,) = market.told(JobEnded)
    assert isinstance(ended, JobEnded)
    assert (ended.winner, ended.loss) == ((key("bob"),), (LOSS,))
    winner = get_winner(market.job(job))
    assert winner
    assert (winner.bidder, market.job(job).label) == (key("bob"), Label.STRONG)


def test_a_job_without_winner_yet_has_none(market: Market) -> None:
    job = auctioned(market, "bob")

    assert get_winner(market.job(job)) is None


def test_the_winner_gets_what_was_added_as_well(market: Market) -> None:
    job = market.post()
    market.send("sue", TopUp(job=job, amount=MicroCredits(5 * CREDIT)))
    market.auction(job, {"bob": LOSS})

    market.judge(job, flat(LOSS))

    assert gained(market, "bob") == {"bob": 15 * CREDIT}


def test_bids_that_were_not_needed_have_their_bonds_back(market: Market) -> None:
    job = auctioned(market, "bob", "eve")

    market.judge(job, flat(LOSS))

    assert gained(market, "eve") == {"eve": 0}
    assert len(market.job(job).examinations) == 1


def test_what_the_verifiers_do_not_earn_of_the_fee_goes_back(market: Market) -> None:
    job = auctioned(market, "bob")
    (silent, *_) = market.members(job)

    market.judge(job, lambda member: None if member == silent else flat(LOSS))

    assert gained(market, "sue") == {"sue": -10 * CREDIT - 2 * UNIT}
    assert burned(market, Reason.SILENT) == 5 * CREDIT
    assert market.bond(silent) == 95 * CREDIT


def test_seven_verifiers_share_the_fee_of_three(market: Market) -> None:
    job = auctioned(market, "bob")
    (first, *_) = market.members(job)

    market.judge(job, lambda member: LIE if member == first else flat(LOSS))
    market.judge(job, flat(LOSS))

    right = [member for member in market.members(job) if member != first]
    assert gained(market, *right) == dict.fromkeys(right, 3 * UNIT // 6)
    assert market.bond(first) == 50 * CREDIT
    assert burned(market, Reason.WRONG_LOSSES) == 50 * CREDIT


def test_a_wrong_fault_costs_only_the_pay(market: Market) -> None:
    job = auctioned(market, "bob")
    (first, *_) = market.members(job)

    market.judge(job, lambda member: fault(Fault.CRASHED) if member == first else flat(LOSS))
    market.judge(job, flat(LOSS))

    assert gained(market, first) == {first: 0}
    assert market.bond(first) == 100 * CREDIT


def test_who_declines_is_neither_paid_nor_punished(market: Market) -> None:
    job = auctioned(market, "bob")
    (first, *_) = market.members(job)

    market.judge(job, lambda member: fault(Fault.DECLINED) if member == first else flat(LOSS))

    assert market.job(job).phase is Phase.SETTLED
    assert gained(market, first) == {first: 0}
    assert market.bond(first) == 100 * CREDIT


def test_a_gross_liar_is_banned_once_the_next_bid_is_confirmed(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    judge_until_decided(market, job, LIE)
    assert not market.is_banned("eve")

    market.judge(job, flat(LOSS + 1))

    assert market.is_banned("eve")
    assert market.balance("eve") == 0
    assert market.job(job).winner == (key("bob"),)
    assert gained(market, "bob") == {"bob": 10 * CREDIT}


def test_seven_verifiers_of_a_liar_are_paid_from_its_bond(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    judge_until_decided(market, job, LIE)
    market.judge(job, flat(LOSS + 1))

    paid = [e for e in market.events if isinstance(e, Paid) and e.reason is Reason.VERIFIED]
    assert len(paid) == 10
    assert {event.amount for event in paid} == {UNIT}
    (seven,) = [e for e in market.events if isinstance(e, CommitteeDrawn) and e.size == 7]
    assert {event.to for event in paid[:7]} == set(seven.members)
    assert burned(market, Reason.REFUTED) == BOND - 7 * UNIT


def test_nothing_a_liar_loses_goes_to_the_submitter(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    judge_until_decided(market, job, LIE)
    market.judge(job, flat(LOSS + 1))

    assert gained(market, "sue") == {"sue": -10 * CREDIT - 3 * UNIT}


def test_a_small_lie_loses_the_bond_but_not_the_place_on_the_graph(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    market.judge(job, flat(LOSS + 1_600))
    market.judge(job, flat(LOSS + 1))

    assert not market.is_banned("eve")
    assert gained(market, "eve") == {"eve": -BOND}


def test_without_a_confirmed_bid_a_gross_liar_loses_its_bond_only(market: Market) -> None:
    job = auctioned(market, "eve")

    judge_until_decided(market, job, LIE)

    assert market.job(job).phase is Phase.REFUNDED
    assert not market.is_banned("eve")
    assert not market.state.account(key("eve")).is_suspended
    assert gained(market, "eve", "sue") == {"eve": -BOND, "sue": -7 * (3 * UNIT // 7)}


def test_a_withheld_model_costs_the_bond(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    market.judge(job, fault(Fault.MODEL_UNAVAILABLE))
    market.judge(job, flat(LOSS + 1))

    assert gained(market, "eve", "bob") == {"eve": -BOND, "bob": 10 * CREDIT}
    assert not market.is_banned("eve")


FAILURES = [Fault.CRASHED, Fault.TIMED_OUT, Fault.OVERSIZE, Fault.BAD_OUTPUT]


@pytest.mark.parametrize("kind", FAILURES)
def test_a_model_that_fails_where_another_is_confirmed_costs_the_bond(
    market: Market, kind: Fault
) -> None:
    job = auctioned(market, "eve", "bob")
    market.judge(job, fault(kind))
    market.judge(job, flat(LOSS + 1))

    assert gained(market, "eve") == {"eve": -BOND}
    assert burned(market, Reason.EVALUATION_FAILED) == BOND - 3 * UNIT


@pytest.mark.parametrize("kind", FAILURES)
def test_an_evaluation_that_fails_for_all_costs_its_submitter_the_fee_only(
    market: Market, kind: Fault
) -> None:
    job = auctioned(market, "eve", "bob")
    market.judge(job, fault(kind))
    market.judge(job, fault(kind))

    assert gained(market, "eve", "bob", "sue") == {"eve": 0, "bob": 0, "sue": -3 * UNIT}
    (ended,) = market.told(JobEnded)
    assert isinstance(ended, JobEnded)
    assert ended.reason is Reason.NO_BID_CONFIRMED


def test_where_the_bond_returns_verifiers_of_that_bid_are_not_paid(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    three = market.members(job)
    market.judge(job, fault(Fault.CRASHED))
    last = market.members(job)
    market.judge(job, fault(Fault.CRASHED))

    only_first = [member for member in three if member not in last]
    assert gained(market, *only_first) == dict.fromkeys(only_first, 0)
    assert gained(market, *last) == dict.fromkeys(last, UNIT)


def test_a_confirmation_by_nobody_proves_nothing_against_a_failed_model(
    market: Market,
) -> None:
    job = auctioned(market, "eve", "bob")
    for verifier in market.verifiers:
        account = market.state.account(key(verifier))
        if verifier not in market.members(job):
            market.state.set_account(key(verifier), replace(account, resources=()))
    for verifier in market.members(job):
        account = market.state.account(key(verifier))
        market.state.set_account(key(verifier), replace(account, resources=()))
    market.judge(job, fault(Fault.CRASHED))
    judge_until_decided(market, job, fault(Fault.CRASHED))

    assert market.job(job).label is Label.UNVERIFIED
    assert gained(market, "eve", "bob") == {"eve": 0, "bob": 10 * CREDIT}


def test_a_missing_image_refunds_the_bounty_and_keeps_the_fee(market: Market) -> None:
    job = auctioned(market, "eve", "bob")

    market.judge(job, fault(Fault.IMAGE_UNAVAILABLE))

    assert gained(market, "eve", "bob", "sue") == {"eve": 0, "bob": 0, "sue": -3 * UNIT}
    assert market.job(job).phase is Phase.REFUNDED


def test_of_a_kept_fee_what_nobody_earned_is_burned(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    (silent, *_) = market.members(job)

    market.judge(
        job,
        lambda member: None if member == silent else fault(Fault.IMAGE_UNAVAILABLE),
    )

    assert burned(market, Reason.FEE_KEPT) == UNIT


def test_deleting_the_image_does_not_save_a_refuted_accomplice(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    judge_until_decided(market, job, flat(LOSS + 2_000))

    market.judge(job, fault(Fault.IMAGE_UNAVAILABLE))

    assert gained(market, "eve", "bob") == {"eve": -BOND, "bob": 0}


def scattered(member: str) -> Verdict:
    return flat(LOSS + 10**6 * int(member[1:]))


def test_an_evaluation_at_random_costs_its_author_a_part_of_the_bounty(market: Market) -> None:
    job = auctioned(market, "bob")

    judge_until_decided(market, job, scattered)

    assert burned(market, Reason.RANDOM_EVALUATION) == BOND
    assert gained(market, "bob", "sue") == {"bob": 0, "sue": -BOND}
    assert market.job(job).examinations[0].outcome is Outcome.UNDECIDED


def test_an_undecided_bid_beside_a_confirmed_one_costs_nobody_anything(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    judge_until_decided(market, job, scattered)
    market.judge(job, flat(LOSS + 1))

    assert burned(market, Reason.RANDOM_EVALUATION) == 0
    assert gained(market, "eve", "bob") == {"eve": 0, "bob": 10 * CREDIT}


def test_a_pool_that_stays_silent_leaves_the_bid_undecided_and_is_slashed() -> None:
    market = Market(["sue", "bob"], verifiers=2)
    job = auctioned(market, "bob")

    market.judge(job, lambda _: None)

    assert market.job(job).phase is Phase.REFUNDED
    assert (market.bond("v0"), market.bond("v1")) == (95 * CREDIT, 95 * CREDIT)
    assert gained(market, "bob", "sue") == {"bob": 0, "sue": 0}


def test_the_third_bid_wins_after_two_lies(market: Market) -> None:
    job = auctioned(market, "eve", "mia", "bob")
    judge_until_decided(market, job, LIE)
    judge_until_decided(market, job, LIE)
    market.judge(job, flat(LOSS + 2))

    assert market.job(job).winner == (key("bob"),)
    assert market.is_banned("eve")
    assert market.is_banned("mia")


def test_verdicts_at_the_tolerance_pay_both_sides(market: Market) -> None:
    job = auctioned(market, "bob")
    (first, *_) = market.members(job)
    edge, over = flat(LOSS + 1_500), flat(LOSS + 1_501)

    market.judge(job, lambda member: over if member == first else edge)
    market.judge(job, edge)

    assert market.job(job).winner == (key("bob"),)
    seven = market.members(job)
    assert gained(market, *seven) == dict.fromkeys(seven, 3 * UNIT // 7)


def test_vectors_of_another_length_are_grossly_wrong(market: Market) -> None:
    job = auctioned(market, "bob")
    (first, *_) = market.members(job)

    market.judge(job, lambda member: losses(LOSS) if member == first else flat(LOSS))
    market.judge(job, flat(LOSS))

    assert market.bond(first) == 50 * CREDIT


def test_a_settled_job_remembers_seats_but_not_the_pool(market: Market) -> None:
    job = auctioned(market, "bob")

    market.judge(job, flat(LOSS))

    (examination,) = market.job(job).examinations
    assert examination.pool == ()
    assert len(examination.seats) == 3


def test_the_spec_that_was_posted_stays_as_it_was(market: Market) -> None:
    job = auctioned(market, "bob")

    assert market.job(job).spec == replace(SPEC, expiry=market.job(job).expiry)
