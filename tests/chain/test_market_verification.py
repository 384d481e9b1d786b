"""How a committee is drawn, commits, reveals and grows."""

import pytest
from msgspec.structs import replace

from lc_node.chain.duties import Duty, get_candidate, get_commit_due, get_duty
from lc_node.chain.errors_market import (
    NotExpectedToJudge,
    NotTheCandidate,
    TooManyDeclines,
    VerdictMeaningless,
    VerdictMismatch,
    WrongPhase,
)
from lc_node.chain.events import CandidateDecided, CommitteeDrawn, VerdictRevealed
from lc_node.chain.job import Label, Outcome, Phase, Verdict
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.records import Duties
from lc_node.chain.transactions import Fault, VerdictCommit, VerdictReveal
from lc_node.chain.types import Epoch, JobId, NanoLoss
from tests.chain.market import SPEC, Market, fault, flat, key, salt

LOSS = 500_000_000


@pytest.fixture
def market() -> Market:
    return Market(["sue", "bob", "eve"])


def drawn(market: Market) -> JobId:
    """Return a job whose candidate is Bob's bid, and whose first committee waits for verdicts."""
    job = market.post()
    market.auction(job, {"bob": LOSS})
    return job


def alter(market: Market, who: str, **changes: object) -> None:
    account = market.state.account(key(who))
    market.state.set_account(key(who), replace(account, **changes))


def test_three_members_are_drawn_and_told_until_when(market: Market) -> None:
    job = drawn(market)

    (event,) = market.told(CommitteeDrawn)
    assert isinstance(event, CommitteeDrawn)
    assert (event.size, event.candidate, event.label) == (3, key("bob"), Label.STRONG)
    assert [market.names[member] for member in event.members] == market.members(job)
    assert event.commit_due == get_commit_due(market.job(job)) == market.state.meta.time + 65_000


def test_before_and_after_the_commits_nobody_waits_for_them(market: Market) -> None:
    job = market.post()
    assert get_commit_due(market.job(job)) is None
    assert get_candidate(market.job(job)) is None
    assert get_duty(market.job(job), key("v0")) is Duty.NONE


def test_a_member_is_expected_to_commit_then_to_reveal_then_nothing(market: Market) -> None:
    job = drawn(market)
    members = market.members(job)
    first, stranger = members[0], next(v for v in market.verifiers if v not in members)
    assert get_duty(market.job(job), key(first)) is Duty.COMMIT
    assert get_duty(market.job(job), key(stranger)) is Duty.NONE

    for member in members:
        market.commit(member, job, flat(LOSS))
    assert get_duty(market.job(job), key(first)) is Duty.NONE
    market.tick()
    assert get_duty(market.job(job), key(first)) is Duty.REVEAL
    market.reveal(first, job, flat(LOSS))
    assert get_duty(market.job(job), key(first)) is Duty.NONE


def test_a_member_that_did_not_commit_is_not_expected_to_reveal(market: Market) -> None:
    job = drawn(market)
    first, *others = market.members(job)
    for member in others:
        market.commit(member, job, flat(LOSS))
    market.skip_until_not(job, Phase.COMMIT)

    assert get_duty(market.job(job), key(first)) is Duty.NONE
    with pytest.raises(NotExpectedToJudge):
        market.reveal(first, job, flat(LOSS))


def test_who_is_not_drawn_cannot_commit(market: Market) -> None:
    job = drawn(market)
    stranger = next(v for v in market.verifiers if v not in market.members(job))

    with pytest.raises(NotExpectedToJudge):
        market.commit(stranger, job, flat(LOSS))


def test_nobody_commits_twice(market: Market) -> None:
    job = drawn(market)
    (first, *_) = market.members(job)
    market.commit(first, job, flat(LOSS))

    with pytest.raises(NotExpectedToJudge):
        market.commit(first, job, flat(LOSS + 1))


def test_a_verdict_on_another_candidate_is_refused(market: Market) -> None:
    job = drawn(market)
    (first, *_) = market.members(job)

    with pytest.raises(NotTheCandidate):
        market.send(
            first,
            VerdictCommit(job=job, candidate=key("eve"), commitment=SPEC.image.manifest),
        )


def test_nobody_reveals_while_others_may_still_commit(market: Market) -> None:
    job = drawn(market)
    (first, *_) = market.members(job)
    market.commit(first, job, flat(LOSS))

    with pytest.raises(WrongPhase):
        market.reveal(first, job, flat(LOSS))


def revealing(market: Market, verdict: Verdict) -> tuple[JobId, list[str]]:
    """Return a job all of whose members have committed to a verdict and may reveal it."""
    job = drawn(market)
    members = market.members(job)
    for member in members:
        market.commit(member, job, verdict)
    market.tick()
    return job, members


def test_a_verdict_must_be_the_one_committed_to(market: Market) -> None:
    job, (first, *_) = revealing(market, flat(LOSS))

    with pytest.raises(VerdictMismatch):
        market.reveal(first, job, flat(LOSS + 1))


def test_nobody_reveals_twice(market: Market) -> None:
    job, (first, *_) = revealing(market, flat(LOSS))
    market.reveal(first, job, flat(LOSS))

    with pytest.raises(NotExpectedToJudge):
        market.reveal(first, job, flat(LOSS))


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict(losses=(), fault=Fault.NONE),
        Verdict(losses=(NanoLoss(1),), fault=Fault.CRASHED),
    ],
)
def test_a_verdict_has_either_losses_or_a_fault(market: Market, verdict: Verdict) -> None:
    job, (first, *_) = revealing(market, verdict)

    with pytest.raises(VerdictMeaningless):
        market.reveal(first, job, verdict)


def test_revealed_verdicts_are_told(market: Market) -> None:
    job, (first, *_) = revealing(market, fault(Fault.CRASHED))

    market.reveal(first, job, fault(Fault.CRASHED))

    (event,) = market.told(VerdictRevealed)
    assert isinstance(event, VerdictRevealed)
    assert (event.member, event.fault, event.losses) == (key(first), Fault.CRASHED, ())


def test_when_nobody_commits_in_time_more_are_drawn(market: Market) -> None:
    job = drawn(market)

    market.judge(job, lambda _: None)

    assert market.job(job).phase is Phase.COMMIT
    assert len(market.members(job)) == 7


def test_a_larger_committee_keeps_the_seats_it_grew_from(market: Market) -> None:
    job = drawn(market)
    three = market.members(job)

    market.judge(job, lambda member: flat(LOSS if member == three[0] else LOSS + 10**8))

    assert market.members(job)[:3] == three
    assert len(set(market.members(job))) == 7
    assert get_duty(market.job(job), key(three[0])) is Duty.NONE
    with pytest.raises(NotExpectedToJudge):
        market.commit(three[0], job, flat(LOSS))


def test_a_member_of_the_smaller_committee_reveals_no_more(market: Market) -> None:
    job = drawn(market)
    three = market.members(job)
    for member in three:
        market.commit(member, job, flat(LOSS))
    market.skip_until_not(job, Phase.COMMIT)
    market.skip_until_not(job, Phase.REVEAL)
    for member in market.new_members(job):
        market.commit(member, job, flat(LOSS))
    market.tick()

    body = VerdictReveal(
        job=job,
        candidate=key("bob"),
        losses=flat(LOSS).losses,
        fault=Fault.NONE,
        salt=salt(three[0]),
    )
    with pytest.raises(NotExpectedToJudge):
        market.send(three[0], body)
    for member in market.new_members(job):
        market.reveal(member, job, flat(LOSS))
    market.tick()
    assert market.job(job).phase is Phase.SETTLED


def test_a_committee_that_never_agrees_grows_to_the_whole_pool(market: Market) -> None:
    job = drawn(market)
    sizes = []
    while market.job(job).phase is Phase.COMMIT:
        sizes.append(len(market.members(job)))
        market.judge(job, lambda member: flat(LOSS + 10**6 * int(member[1:])))

    assert sizes == [3, 7, 15, 20]
    assert market.job(job).examinations[0].outcome is Outcome.UNDECIDED


def test_a_pool_of_five_grows_from_three_to_five() -> None:
    market = Market(["sue", "bob"], verifiers=5)
    job = drawn(market)
    market.judge(job, lambda _: None)

    assert len(market.members(job)) == 5
    market.judge(job, flat(LOSS))
    assert market.job(job).phase is Phase.SETTLED


def test_a_pool_of_one_decides_alone() -> None:
    market = Market(["sue", "bob"], verifiers=1)
    job = drawn(market)

    market.judge(job, flat(LOSS))

    assert (market.job(job).phase, market.job(job).label) == (Phase.SETTLED, Label.WEAK)


def test_without_anybody_to_judge_the_leader_wins_unverified() -> None:
    market = Market(["sue", "bob", "eve"], verifiers=0)
    job = market.post()
    market.auction(job, {"bob": LOSS, "eve": LOSS - 1})

    assert (market.job(job).winner, market.job(job).label) == ((key("eve"),), Label.UNVERIFIED)
    assert market.balance("eve") == 1_010 * CREDIT
    assert market.balance("sue") == 990 * CREDIT


def test_who_is_suspended_after_the_freeze_is_not_drawn_any_more() -> None:
    market = Market(["sue", "bob"], verifiers=5)
    job = drawn(market)
    three = market.members(job)
    for verifier in market.verifiers:
        if verifier not in three:
            alter(market, verifier, suspended_by=(JobId(SPEC.image.manifest),))

    market.judge(job, lambda member: flat(LOSS) if member == three[0] else None)

    assert market.job(job).phase is Phase.SETTLED


def test_a_member_may_decline_one_draw(market: Market) -> None:
    job, (first, *_) = revealing(market, fault(Fault.DECLINED))

    market.reveal(first, job, fault(Fault.DECLINED))

    duties = market.state.account(key(first)).duties
    assert duties == (Duties(epoch=Epoch(0), draws=1, declines=1),)


@pytest.mark.parametrize(("draws", "declines"), [(0, 1), (1, 1), (10, 1), (20, 2)])
def test_a_member_may_not_decline_more_than_one_of_ten_draws(
    market: Market, draws: int, declines: int
) -> None:
    job, (first, *_) = revealing(market, fault(Fault.DECLINED))
    alter(market, first, duties=(Duties(epoch=Epoch(0), draws=draws, declines=declines),))

    with pytest.raises(TooManyDeclines):
        market.reveal(first, job, fault(Fault.DECLINED))


def test_who_was_drawn_in_the_epoch_before_may_decline_in_this_one(market: Market) -> None:
    job, (first, *_) = revealing(market, fault(Fault.DECLINED))
    alter(market, first, duties=(Duties(epoch=Epoch(0), draws=0, declines=0),))

    market.reveal(first, job, fault(Fault.DECLINED))

    assert market.state.account(key(first)).duties[0].declines == 1


def test_the_eleventh_draw_allows_a_second_decline(market: Market) -> None:
    job, (first, *_) = revealing(market, fault(Fault.DECLINED))
    alter(market, first, duties=(Duties(epoch=Epoch(0), draws=11, declines=1),))

    market.reveal(first, job, fault(Fault.DECLINED))

    assert market.state.account(key(first)).duties[0].declines == 2


def test_draws_of_an_earlier_epoch_do_not_count(market: Market) -> None:
    for verifier in market.verifiers:
        alter(market, verifier, duties=(Duties(epoch=Epoch(7), draws=5, declines=5),))

    job = drawn(market)

    (first, *_) = market.members(job)
    assert market.state.account(key(first)).duties == (
        Duties(epoch=Epoch(0), draws=1, declines=0),
    )


def test_an_appeal_window_delays_what_a_small_committee_found() -> None:
    params = replace(DEVNET, appeal_window_ms=60_000)
    market = Market(["sue", "bob"], params=params)
    job = drawn(market)

    market.judge(job, flat(LOSS))

    assert market.job(job).phase is Phase.APPEAL
    assert market.balance("bob") < 1_000 * CREDIT
    assert market.told(CandidateDecided)
    market.skip_until_not(job, Phase.APPEAL)
    assert market.job(job).phase is Phase.SETTLED


def test_a_whole_pool_leaves_nobody_to_appeal_to() -> None:
    params = replace(DEVNET, appeal_window_ms=60_000)
    market = Market(["sue", "bob"], verifiers=3, params=params)
    job = drawn(market)

    market.judge(job, flat(LOSS))

    assert market.job(job).phase is Phase.SETTLED


def test_what_fifteen_found_is_not_appealed() -> None:
    params = replace(DEVNET, appeal_window_ms=60_000)
    market = Market(["sue", "bob"], params=params)
    job = drawn(market)
    market.judge(job, lambda _: None)
    market.judge(job, lambda _: None)

    market.judge(job, flat(LOSS))

    assert len(market.members(job)) == 15
    assert market.job(job).phase is Phase.SETTLED
