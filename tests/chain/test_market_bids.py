"""Who leads, who is a finalist, who is a reserve, and whose bond is locked meanwhile."""

import pytest
from msgspec.structs import replace

from lc_node.chain.errors_market import (
    BidOnOwnJob,
    BondNotCovered,
    NotAnImprovement,
    RankingFull,
    WrongPhase,
)
from lc_node.chain.events import BidDropped, BidPlaced
from lc_node.chain.job import Phase, Standing
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.ranking import get_bid, get_finalists, get_leader, get_rank, get_standing
from lc_node.chain.transactions import TopUp, Transfer
from lc_node.chain.types import JobId, MicroCredits
from tests.chain.market import SPEC, Market, key

BOND = 3 * CREDIT
PEOPLE = [f"p{index}" for index in range(70)]


@pytest.fixture
def market() -> Market:
    return Market(["sue", *PEOPLE], verifiers=0)


def ranked(market: Market, job: JobId) -> list[str]:
    return [market.names[bid.bidder] for bid in market.job(job).bids]


def finalists(market: Market, job: JobId) -> list[str]:
    return [market.names[bid.bidder] for bid in get_finalists(market.job(job))]


def locked(market: Market, who: str) -> int:
    return 1_000 * CREDIT - market.balance(who)


def test_a_job_without_bids_has_no_leader(market: Market) -> None:
    job = market.job(market.post())

    assert get_leader(job) is None
    assert get_rank(job, key("p0")) == 0


def test_the_lowest_loss_leads(market: Market) -> None:
    job = market.post()
    for who, loss in (("p0", 30), ("p1", -10), ("p2", 20)):
        market.bid(who, job, loss)

    assert ranked(market, job) == ["p1", "p2", "p0"]
    assert get_leader(market.job(job)) == get_bid(market.job(job), key("p1"))


def test_a_bid_behind_the_leader_is_welcome(market: Market) -> None:
    job = market.post()
    market.bid("p0", job, -(2**63))

    market.bid("p1", job, 1)

    assert finalists(market, job) == ["p0", "p1"]


def test_of_equal_losses_the_earlier_block_leads(market: Market) -> None:
    job = market.post()
    market.bid("p0", job, 7)
    market.tick()
    market.bid("p1", job, 7)

    assert ranked(market, job) == ["p0", "p1"]


def test_of_equal_losses_in_one_block_the_lot_decides_and_not_the_order(market: Market) -> None:
    job = market.post()
    for who in PEOPLE[:8]:
        market.bid(who, job, 7)

    lots = [bid.lot for bid in market.job(job).bids]
    assert lots == sorted(lots)
    assert ranked(market, job) != PEOPLE[:8]


def test_a_finalist_has_a_bond_of_thirty_percent_locked(market: Market) -> None:
    job = market.post()

    market.bid("p0", job, 7)

    assert locked(market, "p0") == BOND
    (placed,) = market.told(BidPlaced)
    assert isinstance(placed, BidPlaced)
    assert (placed.rank, placed.bond, placed.reason) == (1, BOND, "bid")


def test_the_least_bond_holds_for_a_small_bounty(market: Market) -> None:
    job = market.post("sue", replace(SPEC, bounty=MicroCredits(CREDIT)))

    market.bid("p0", job, 7)

    assert locked(market, "p0") == DEVNET.bid_bond_min


def test_after_a_top_up_new_bids_lock_more(market: Market) -> None:
    job = market.post()
    market.bid("p0", job, 7)
    market.send("sue", TopUp(job=job, amount=MicroCredits(10 * CREDIT)))

    market.bid("p1", job, 8)
    market.bid("p0", job, 6)

    assert locked(market, "p1") == locked(market, "p0") == 2 * BOND


def test_an_improvement_keeps_the_bond_and_takes_the_new_rank(market: Market) -> None:
    job = market.post()
    market.bid("p0", job, 7)
    market.bid("p1", job, 6)

    market.bid("p0", job, 5)

    assert ranked(market, job) == ["p0", "p1"]
    assert locked(market, "p0") == BOND


@pytest.mark.parametrize("loss", [7, 8])
def test_an_earlier_bid_is_replaced_only_by_a_strictly_lower_loss(
    market: Market, loss: int
) -> None:
    job = market.post()
    market.bid("p0", job, 7)

    with pytest.raises(NotAnImprovement):
        market.bid("p0", job, loss)


def test_the_ninth_best_is_a_reserve_without_bond(market: Market) -> None:
    job = market.post()
    for loss, who in enumerate(PEOPLE[:9]):
        market.bid(who, job, loss)

    assert finalists(market, job) == PEOPLE[:8]
    assert locked(market, "p8") == 0


def test_a_finalist_that_is_outbid_has_its_bond_back(market: Market) -> None:
    job = market.post()
    for loss, who in enumerate(PEOPLE[:8]):
        market.bid(who, job, loss)

    market.bid("p8", job, -1)

    assert finalists(market, job) == ["p8", *PEOPLE[:7]]
    assert (locked(market, "p7"), locked(market, "p8")) == (0, BOND)
    (dropped,) = market.told(BidDropped)
    assert isinstance(dropped, BidDropped)
    assert (dropped.bidder, dropped.rank, dropped.reason) == (key("p7"), 9, "outbid")


def test_a_reserve_that_improves_becomes_a_finalist_and_pays_its_bond(market: Market) -> None:
    job = market.post()
    for loss, who in enumerate(PEOPLE[:9]):
        market.bid(who, job, loss)

    market.bid("p8", job, -1)

    assert finalists(market, job)[0] == "p8"
    assert (locked(market, "p7"), locked(market, "p8")) == (0, BOND)


def fill(market: Market, job: JobId) -> None:
    """Give all 64 places to p0 ... p63, in their order."""
    for loss, who in enumerate(PEOPLE[:64]):
        market.bid(who, job, loss)


def test_there_are_sixty_four_places(market: Market) -> None:
    job = market.post()
    fill(market, job)

    with pytest.raises(RankingFull) as refusal:
        market.bid("p64", job, 64)
    assert (refusal.value.places, refusal.value.last) == (64, 63)


def test_a_better_reserve_pushes_the_last_one_out(market: Market) -> None:
    job = market.post()
    fill(market, job)

    market.bid("p64", job, 30)

    assert ranked(market, job)[-1] == "p62"
    assert len(market.job(job).bids) == 64


def test_a_better_finalist_pushes_the_last_reserve_out(market: Market) -> None:
    job = market.post()
    fill(market, job)

    market.bid("p64", job, -1)

    assert len(market.job(job).bids) == 64
    assert len(get_standing(market.job(job), Standing.RESERVE)) == 56
    assert "p63" not in ranked(market, job)


def test_where_no_reserves_are_kept_the_last_finalist_is_named() -> None:
    market = Market(["sue", *PEOPLE[:3]], params=replace(DEVNET, finalists_max=2, reserves_max=0))
    job = market.post()
    market.bid("p0", job, 1)
    market.bid("p1", job, 2)

    with pytest.raises(RankingFull) as refusal:
        market.bid("p2", job, 3)
    assert refusal.value.last == 2


def test_a_bid_without_the_credits_for_its_bond_is_refused() -> None:
    market = Market(["sue", "poor"], balance=20 * CREDIT)
    market.post("poor", replace(SPEC, bounty=MicroCredits(17 * CREDIT)))
    job = market.post("sue")

    with pytest.raises(BondNotCovered):
        market.bid("poor", job, 7)


def test_the_last_credit_may_be_a_bond() -> None:
    market = Market(["sue", "poor"], verifiers=0, balance=20 * CREDIT)
    market.send("poor", Transfer(to=key("sue"), amount=MicroCredits(20 * CREDIT - BOND), memo=b""))
    job = market.post("sue")

    market.bid("poor", job, 7)

    assert market.balance("poor") == 0


def test_a_submitter_may_not_bid_on_its_own_job(market: Market) -> None:
    job = market.post("sue")

    with pytest.raises(BidOnOwnJob):
        market.bid("sue", job, 7)


def test_once_the_race_is_closed_no_bid_is_taken(market: Market) -> None:
    job = market.post()
    market.bid("p0", job, 7)
    market.expire(job)

    with pytest.raises(WrongPhase):
        market.bid("p1", job, 1)


def test_a_late_bid_counts_as_long_as_the_race_is_not_closed() -> None:
    market = Market(["sue", "p0"], params=replace(DEVNET, deadlines_per_block=0))
    job = market.post()
    market.expire(job)

    market.bid("p0", job, 7)

    assert market.job(job).phase is Phase.OPEN
    assert ranked(market, job) == ["p0"]
