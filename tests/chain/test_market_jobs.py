"""Posting a job, and changing it while nobody relies on it."""

from typing import Any

import pytest
from msgspec.structs import replace

from lc_node.chain.errors import InsufficientBalance, InvalidTransaction, SenderSuspended
from lc_node.chain.errors_market import (
    BountyTooSmall,
    ContractUnknown,
    ExpiryOutOfRange,
    HasBids,
    ImageNowhere,
    LimitOutOfRange,
    NothingAdded,
    NotSubmitter,
    OptionUnsupported,
    UnknownJob,
    WrongPhase,
)
from lc_node.chain.events import JobChanged, JobEnded, JobForgotten, JobPosted
from lc_node.chain.job import Phase
from lc_node.chain.params import CREDIT, DAY_MS, DEVNET, HOUR_MS, SECOND_MS
from lc_node.chain.transactions import Cancel, Extend, JobSpec, PostJob, TopUp, Transfer
from lc_node.chain.types import (
    ByteCount,
    JobId,
    MicroCredits,
    Millis,
    NanoLoss,
    PartsPerMillion,
    Seconds,
)
from tests.chain.market import EXPIRES_IN, SPEC, START, UNIT, Market, flat, key


@pytest.fixture
def market() -> Market:
    return Market(["sue", "bob"], verifiers=3)


def test_bounty_and_fee_leave_the_balance_at_once(market: Market) -> None:
    job = market.post("sue")

    assert market.balance("sue") == 1_000 * CREDIT - 10 * CREDIT - 3 * UNIT
    assert (market.job(job).escrow, market.job(job).fee_held) == (10 * CREDIT, 3 * UNIT)
    (posted,) = market.told(JobPosted)
    assert isinstance(posted, JobPosted)
    assert (posted.submitter, posted.fee) == (key("sue"), 3 * UNIT)


def test_two_jobs_of_one_spec_are_two_jobs(market: Market) -> None:
    assert market.post("sue") != market.post("sue")


def test_a_submitter_who_cannot_pay_bounty_and_fee_is_refused() -> None:
    market = Market(["sue"], balance=10 * CREDIT + 3 * UNIT - 1)

    with pytest.raises(InsufficientBalance):
        market.post("sue")


def test_a_submitter_may_spend_its_last_credit() -> None:
    market = Market(["sue"], verifiers=0, balance=10 * CREDIT + 3 * UNIT)

    market.post("sue")

    assert market.balance("sue") == 0


REFUSED: list[tuple[dict[str, Any], type[InvalidTransaction]]] = [
    ({"open_to_newcomers": True}, OptionUnsupported),
    ({"hidden_root": (SPEC.image.manifest,)}, OptionUnsupported),
    ({"private": True}, OptionUnsupported),
    ({"bounty": MicroCredits(CREDIT - 1)}, BountyTooSmall),
    ({"contract": "lc/2"}, ContractUnknown),
    ({"contract": "stdout/1:"}, ContractUnknown),
    ({"image": replace(SPEC.image, on_graph=False)}, ImageNowhere),
    ({"image": replace(SPEC.image, total_bytes=ByteCount(0))}, LimitOutOfRange),
    ({"image": replace(SPEC.image, total_bytes=ByteCount(10**12 + 1))}, LimitOutOfRange),
    ({"model_bytes_max": ByteCount(0)}, LimitOutOfRange),
    ({"trial_seconds": Seconds(0)}, LimitOutOfRange),
    ({"evaluate_seconds": Seconds(0)}, LimitOutOfRange),
    ({"evaluate_seconds": Seconds(30 * 24 * 3_600 + 1)}, LimitOutOfRange),
    ({"tolerance": replace(SPEC.tolerance, absolute=NanoLoss(999))}, LimitOutOfRange),
    ({"tolerance": replace(SPEC.tolerance, relative=PartsPerMillion(0))}, LimitOutOfRange),
    (
        {"tolerance": replace(SPEC.tolerance, relative=PartsPerMillion(1_000_001))},
        LimitOutOfRange,
    ),
    ({"expiry": Millis(START + 20 * SECOND_MS - 1)}, ExpiryOutOfRange),
    ({"expiry": Millis(START + 7 * DAY_MS + 1)}, ExpiryOutOfRange),
]


@pytest.mark.parametrize(("change", "error"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_spec_out_of_bounds_is_refused_by_name(
    market: Market, change: dict[str, Any], error: type[InvalidTransaction]
) -> None:
    spec: JobSpec = replace(SPEC, **change)

    with pytest.raises(error):
        market.send("sue", PostJob(spec=spec))


@pytest.mark.parametrize("contract", ["lc/1", "stdout/1", "stdout/1:negate"])
def test_a_job_may_be_posted_under_each_contract(market: Market, contract: str) -> None:
    job = market.post("sue", replace(SPEC, contract=contract))

    assert market.job(job).spec.contract == contract


@pytest.mark.parametrize("span", [20 * SECOND_MS, 7 * DAY_MS])
def test_an_expiry_at_either_end_of_the_range_is_fine(market: Market, span: int) -> None:
    job = market.send("sue", PostJob(spec=replace(SPEC, expiry=Millis(START + span))))

    assert market.job(JobId(job)).due == START + span


def test_a_registry_reference_is_as_good_as_the_graph(market: Market) -> None:
    image = replace(SPEC.image, on_graph=False, references=("registry.example/image:1",))

    job = market.post("sue", replace(SPEC, image=image))

    assert market.job(job).phase is Phase.OPEN


def test_anything_for_an_unknown_job_is_refused(market: Market) -> None:
    with pytest.raises(UnknownJob):
        market.send("sue", Cancel(job=JobId(SPEC.image.manifest)))


def test_a_top_up_raises_bounty_and_escrow_even_with_bids(market: Market) -> None:
    job = market.post("sue")
    market.bid("bob", job, 5)

    market.send("sue", TopUp(job=job, amount=MicroCredits(CREDIT)))

    assert market.job(job).bounty == market.job(job).escrow == 11 * CREDIT
    assert market.told(JobChanged)


@pytest.mark.parametrize(
    ("who", "amount", "error"),
    [
        ("bob", 1, NotSubmitter),
        ("sue", 0, NothingAdded),
        ("sue", 1_000 * CREDIT, InsufficientBalance),
    ],
)
def test_a_top_up_that_cannot_be_is_refused(
    market: Market, who: str, amount: int, error: type[InvalidTransaction]
) -> None:
    job = market.post("sue")

    with pytest.raises(error):
        market.send(who, TopUp(job=job, amount=MicroCredits(amount)))


def test_an_extended_job_waits_for_its_new_expiry(market: Market) -> None:
    job = market.post("sue")
    later = Millis(market.job(job).expiry + HOUR_MS)
    market.send("sue", Extend(job=job, expiry=later))

    market.skip_to(START + EXPIRES_IN)
    assert market.job(job).phase is Phase.OPEN
    market.skip_to(later)
    assert market.job(job).phase is Phase.REFUNDED


@pytest.mark.parametrize("span", [EXPIRES_IN, EXPIRES_IN - 1, 7 * DAY_MS + 1])
def test_an_expiry_moves_only_later_and_not_too_far(market: Market, span: int) -> None:
    job = market.post("sue")

    with pytest.raises(ExpiryOutOfRange):
        market.send("sue", Extend(job=job, expiry=Millis(START + span)))


def test_an_extended_job_leaves_bidders_the_least_time_from_now(market: Market) -> None:
    job = market.post("sue")
    market.skip_to(START + EXPIRES_IN - SECOND_MS)
    earliest = market.state.meta.time + DEVNET.expiry_min_ms

    with pytest.raises(ExpiryOutOfRange):
        market.send("sue", Extend(job=job, expiry=Millis(earliest - 1)))
    market.send("sue", Extend(job=job, expiry=Millis(earliest)))


@pytest.mark.parametrize("kind", ["extend", "cancel"])
def test_with_a_bid_a_job_can_no_longer_be_moved_or_taken_back(market: Market, kind: str) -> None:
    job = market.post("sue")
    market.bid("bob", job, 5)
    body = Cancel(job=job) if kind == "cancel" else Extend(job=job, expiry=Millis(START + HOUR_MS))

    with pytest.raises(HasBids):
        market.send("sue", body)


def test_a_cancelled_job_returns_everything(market: Market) -> None:
    job = market.post("sue")

    market.send("sue", Cancel(job=job))

    assert market.balance("sue") == 1_000 * CREDIT
    assert market.job(job).phase is Phase.CANCELLED


def test_a_stranger_cannot_cancel(market: Market) -> None:
    job = market.post("sue")

    with pytest.raises(NotSubmitter):
        market.send("bob", Cancel(job=job))


def test_a_cancelled_job_takes_no_bid(market: Market) -> None:
    job = market.post("sue")
    market.send("sue", Cancel(job=job))

    with pytest.raises(WrongPhase):
        market.bid("bob", job, 5)


def test_a_job_without_bids_returns_bounty_and_fee_at_expiry(market: Market) -> None:
    job = market.post("sue")

    market.expire(job)

    assert market.balance("sue") == 1_000 * CREDIT
    (ended,) = market.told(JobEnded)
    assert isinstance(ended, JobEnded)
    assert (ended.phase, ended.reason, ended.winner) == (Phase.REFUNDED, "no_bids", ())


def test_a_settled_job_is_kept_for_its_history(market: Market) -> None:
    job = market.post("sue")
    market.auction(job, {"bob": 2_000})
    market.judge(job, flat(2_000))

    market.skip_to(market.state.meta.time + DEVNET.history_kept_ms - 1)
    assert market.state.job(job) is not None
    market.tick(1)
    assert market.state.job(job) is None


def test_a_job_that_nobody_bid_for_is_forgotten_soon_for_it_cost_nothing(market: Market) -> None:
    job = market.post("sue")
    market.expire(job)

    market.skip_to(market.state.meta.time + DEVNET.unfought_kept_ms - 1)
    assert market.state.job(job) is not None
    market.tick(1)
    assert market.state.job(job) is None
    assert len(market.told(JobForgotten)) == 1


def test_a_suspended_account_posts_bids_and_moves_nothing_until_the_job_is_over() -> None:
    market = Market(["sue", "bob", "eve"])
    job, other = market.post("sue"), market.post("sue")
    own = market.post("eve")
    market.auction(job, {"eve": 1_000, "bob": 2_000})
    market.judge(job, flat(5_000))
    assert market.candidate(job) == "bob"

    for act in (
        lambda: market.post("eve"),
        lambda: market.bid("eve", other, 1),
        lambda: market.send("eve", TopUp(job=own, amount=MicroCredits(1))),
        lambda: market.send("eve", Transfer(to=key("bob"), amount=MicroCredits(1), memo=b"")),
    ):
        with pytest.raises(SenderSuspended):
            act()
    market.judge(job, flat(2_000))
    assert market.job(job).phase is Phase.SETTLED
    market.post("eve")
