"""After the expiry: who opens, who loses its bond, and when the reserves are asked."""

import pytest
from msgspec.structs import replace

from lc_node.chain.duties import Duty, get_duty
from lc_node.chain.errors_market import (
    BondNotCovered,
    ModelTooLarge,
    NotExpectedToOpen,
    OpeningMismatch,
    WrongPhase,
)
from lc_node.chain.events import BidOpened, Burned, JobEnded
from lc_node.chain.job import Phase, Standing
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.ranking import get_bid
from lc_node.chain.transactions import Open, Transfer
from lc_node.chain.types import JobId, MicroCredits
from tests.chain.market import MODEL_BYTES, Market, flat, key, model, salt

BOND = 3 * CREDIT
PEOPLE = [f"p{index}" for index in range(20)]


@pytest.fixture
def market() -> Market:
    return Market(["sue", "bob", "eve", "poor", *PEOPLE])


def expired(market: Market, *bidders: str) -> JobId:
    """Return a job on which these bid, in this rank order, and that has just expired."""
    job = market.post()
    for loss, who in enumerate(bidders):
        market.bid(who, job, loss)
    market.expire(job)
    return job


def locked(market: Market, who: str) -> int:
    return 1_000 * CREDIT - market.balance(who)


def test_finalists_are_expected_to_open_and_others_are_not(market: Market) -> None:
    job = expired(market, *PEOPLE[:9])

    assert get_duty(market.job(job), key("p0")) is Duty.OPEN
    assert get_duty(market.job(job), key("p8")) is Duty.NONE
    assert get_duty(market.job(job), key("eve")) is Duty.NONE


def test_an_opening_names_the_model(market: Market) -> None:
    job = expired(market, "bob", "eve")

    market.open("bob", job)

    (opened,) = market.told(BidOpened)
    assert isinstance(opened, BidOpened)
    assert (opened.model_root, opened.model_bytes) == (model("bob"), MODEL_BYTES)


def test_nobody_opens_before_the_expiry(market: Market) -> None:
    job = market.post()
    market.bid("bob", job, 1)

    with pytest.raises(WrongPhase):
        market.open("bob", job)


def test_when_all_have_opened_the_next_block_draws_the_committee(market: Market) -> None:
    job = expired(market, "bob", "eve")
    market.open("bob", job)
    market.open("eve", job)

    market.tick(1)

    assert market.job(job).phase is Phase.COMMIT
    assert market.candidate(job) == "bob"


def test_who_does_not_open_loses_bond_and_place(market: Market) -> None:
    job = expired(market, "eve", "bob")
    market.open("bob", job)

    market.skip_until_not(job, Phase.OPENING)

    assert locked(market, "eve") == BOND
    assert [e.amount for e in market.events if isinstance(e, Burned)] == [BOND]
    assert market.candidate(job) == "bob"


@pytest.mark.parametrize("change", ["root", "bytes", "salt"])
def test_what_was_not_committed_to_cannot_be_opened(market: Market, change: str) -> None:
    job = expired(market, "bob")
    body = Open(job=job, model_root=model("bob"), model_bytes=MODEL_BYTES, salt=salt("bob"))
    changes = {
        "root": replace(body, model_root=model("eve")),
        "bytes": replace(body, model_bytes=MODEL_BYTES + 1),
        "salt": replace(body, salt=salt("eve")),
    }

    with pytest.raises(OpeningMismatch):
        market.send("bob", changes[change])


def test_a_model_larger_than_the_job_allows_cannot_be_opened(market: Market) -> None:
    job = market.post()
    market.bid("bob", job, 1, model_bytes=10_000_001)
    market.expire(job)

    with pytest.raises(ModelTooLarge):
        market.open("bob", job, model_bytes=10_000_001)


def test_a_model_as_large_as_the_job_allows_can_be_opened(market: Market) -> None:
    job = market.post()
    market.bid("bob", job, 1, model_bytes=10_000_000)
    market.expire(job)

    market.open("bob", job, model_bytes=10_000_000)

    assert market.told(BidOpened)


def test_nobody_opens_twice(market: Market) -> None:
    job = expired(market, "bob", "eve")
    market.open("bob", job)

    with pytest.raises(NotExpectedToOpen):
        market.open("bob", job)


def test_who_did_not_bid_cannot_open(market: Market) -> None:
    job = expired(market, "bob")

    with pytest.raises(NotExpectedToOpen):
        market.open("eve", job)


def test_when_no_finalist_opens_the_best_reserves_are_asked(market: Market) -> None:
    job = expired(market, *PEOPLE[:18])

    market.skip_until_not_opened(job)

    invited = [bid.bidder for bid in market.job(job).bids if bid.standing is Standing.INVITED]
    assert invited == [key(who) for who in PEOPLE[8:16]]
    assert get_duty(market.job(job), key("p8")) is Duty.OPEN


def test_a_reserve_locks_its_bond_as_it_opens(market: Market) -> None:
    job = expired(market, *PEOPLE[:10])
    market.skip_until_not_opened(job)

    market.open("p8", job)

    assert locked(market, "p8") == BOND
    bid = get_bid(market.job(job), key("p8"))
    assert bid
    assert bid.standing is Standing.OPENED


def test_a_reserve_without_the_credits_for_its_bond_cannot_open(market: Market) -> None:
    job = expired(market, *PEOPLE[:8], "poor")
    rest = MicroCredits(market.balance("poor") - BOND + 1)
    market.send("poor", Transfer(to=key("bob"), amount=rest, memo=b""))
    market.skip_until_not_opened(job)

    with pytest.raises(BondNotCovered):
        market.open("poor", job)


def test_a_reserve_that_opened_can_win(market: Market) -> None:
    job = expired(market, *PEOPLE[:10])
    market.skip_until_not_opened(job)
    market.open("p9", job)
    market.skip_until_not(job, Phase.OPENING)

    market.judge(job, flat(9))

    assert market.job(job).winner == (key("p9"),)
    assert locked(market, "p8") == 0


def test_when_no_reserve_is_left_the_bounty_returns(market: Market) -> None:
    job = expired(market, *PEOPLE[:10])

    market.skip_until_not_opened(job)
    market.skip_until_not_opened(job)

    (ended,) = market.told(JobEnded)
    assert isinstance(ended, JobEnded)
    assert (ended.phase, ended.reason) == (Phase.REFUNDED, "nobody_opened")
    assert market.balance("sue") == 1_000 * CREDIT


def test_reserves_are_asked_three_times_at_most() -> None:
    params = replace(DEVNET, finalists_max=2)
    market = Market(["sue", *PEOPLE], params=params)
    job = expired(market, *PEOPLE[:12])

    for _ in range(4):
        assert market.job(job).phase is Phase.OPENING
        market.skip_until_not_opened(job)

    assert market.job(job).phase is Phase.REFUNDED
    assert market.job(job).rounds == 3
