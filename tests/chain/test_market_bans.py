"""What a ban takes from a key in the market."""

from collections.abc import Callable

import pytest

from lc_node.chain.bans import ban
from lc_node.chain.committee import count_duty
from lc_node.chain.events import Burned, Reason
from lc_node.chain.job import Phase, Verdict
from lc_node.chain.market_bans import ban_bidder
from lc_node.chain.params import CREDIT
from lc_node.chain.ranking import get_bid
from lc_node.chain.types import JobId
from tests.chain.market import UNIT, Market, flat, key

LOSS = 500_000_000
START = 1_000 * CREDIT
BOND = 3 * CREDIT


@pytest.fixture
def market() -> Market:
    return Market(["sue", "bob", "eve", "mia"])


def auctioned(market: Market, *bidders: str) -> JobId:
    """Return a job on which these bid LOSS, LOSS + 1, ... and opened; the first is the candidate."""
    job = market.post()
    market.auction(job, {who: LOSS + index for index, who in enumerate(bidders)})
    return job


def burned(market: Market, why: Reason) -> int:
    return sum(e.amount for e in market.events if isinstance(e, Burned) and e.reason is why)


def judge_until_decided(
    market: Market, job: JobId, verdict: "Verdict | Callable[[str], Verdict | None]"
) -> None:
    """Let committees of this candidate judge until one has decided."""
    done = len(market.job(job).examinations)
    while market.job(job).phase is Phase.COMMIT and len(market.job(job).examinations) == done:
        market.judge(job, verdict)


def test_a_banned_submitters_refund_is_burned(market: Market) -> None:
    job = market.post("sue")
    ban_bidder(market.state, market.block(), job, key("sue"))

    market.expire(job)

    assert market.balance("sue") == 0
    assert burned(market, Reason.BOUNTY) == 10 * CREDIT
    assert burned(market, Reason.FEE_REST) == 3 * UNIT


def test_a_ban_takes_bids_and_bonds_in_every_job(market: Market) -> None:
    open_job, opening = market.post(), market.post()
    market.bid("eve", open_job, 1)
    market.bid("eve", opening, 1)
    market.bid("bob", opening, 2)
    market.expire(opening)
    market.open("bob", opening)
    later = market.post()
    market.bid("eve", later, 1)
    market.bid("bob", later, 2)

    ban_bidder(market.state, market.block(), opening, key("eve"))

    assert get_bid(market.job(later), key("eve")) is None
    assert burned(market, Reason.BIDDER_BANNED) == 3 * BOND
    market.tick()
    assert market.candidate(opening) == "bob"
    assert get_bid(market.job(opening), key("eve")) is None


def test_a_ban_leaves_other_finalists_their_time_to_open(market: Market) -> None:
    job = market.post()
    for who in ("eve", "bob"):
        market.bid(who, job, LOSS)
    market.expire(job)

    ban_bidder(market.state, market.block(), job, key("eve"))
    market.tick()

    assert market.job(job).phase is Phase.OPENING


def test_when_all_finalists_are_banned_the_reserves_are_asked() -> None:
    market = Market(["sue", *(f"p{index}" for index in range(9))])
    job = market.post()
    for index in range(9):
        market.bid(f"p{index}", job, index)
    for index in range(8):
        ban_bidder(market.state, market.block(), job, key(f"p{index}"))

    market.expire(job)

    assert (market.job(job).phase, market.job(job).rounds) == (Phase.OPENING, 1)


def test_a_place_that_a_ban_freed_goes_to_the_next_bid() -> None:
    market = Market(["sue", *(f"p{index}" for index in range(10))])
    job = market.post()
    for index in range(9):
        market.bid(f"p{index}", job, index)
    ban_bidder(market.state, market.block(), job, key("p0"))

    market.bid("p9", job, 99)

    assert market.balance("p9") == START - BOND
    assert market.balance("p8") == START


def test_a_banned_candidate_wins_nothing_even_if_confirmed(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    ban_bidder(market.state, market.block(), job, key("eve"))

    market.judge(job, flat(LOSS))
    assert market.candidate(job) == "bob"
    market.judge(job, flat(LOSS + 1))

    assert market.job(job).winner == (key("bob"),)


def test_a_banned_candidate_that_is_refuted_is_just_void(market: Market) -> None:
    job = auctioned(market, "eve", "bob")
    ban_bidder(market.state, market.block(), job, key("eve"))

    judge_until_decided(market, job, flat(LOSS + 2_000))

    assert market.job(job).suspended == ()
    assert market.candidate(job) == "bob"


@pytest.mark.parametrize(("is_banned", "counted"), [(False, 1), (True, 0)])
def test_the_duties_of_a_banned_key_are_not_counted(
    market: Market, *, is_banned: bool, counted: int
) -> None:
    if is_banned:
        ban(market.state, key("bob"), market.block().time)
    count_duty(market.state, key("bob"))

    assert market.state.account(key("bob")).service.duties == counted
