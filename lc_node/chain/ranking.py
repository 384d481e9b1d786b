"""Which bid leads, which are finalists, and where another would stand."""

from collections.abc import Iterable

from lc_node.chain.job import Job, PlacedBid, Standing
from lc_node.chain.types import Digest, Height, NanoLoss, PublicKey

RankKey = tuple[NanoLoss, Height, Digest]


def get_rank_key(bid: PlacedBid) -> RankKey:
    """Return what bids are ordered by: the lowest loss, then the earliest block, then by lot."""
    return bid.loss, bid.height, bid.lot


def sort_bids(bids: Iterable[PlacedBid]) -> tuple[PlacedBid, ...]:
    """Return bids in rank order, the leader first."""
    return tuple(sorted(bids, key=get_rank_key))


def get_bid(job: Job, bidder: PublicKey) -> PlacedBid | None:
    """Return a key's bid, None if it has none or has lost its place."""
    return next((bid for bid in job.bids if bid.bidder == bidder), None)


def get_rank(job: Job, bidder: PublicKey) -> int:
    """Return a bidder's rank, from 1; 0 if it has no bid."""
    ranks = (rank for rank, bid in enumerate(job.bids, start=1) if bid.bidder == bidder)
    return next(ranks, 0)


def get_leader(job: Job) -> PlacedBid | None:
    """Return the bid with the best rank, None if there is none."""
    return job.bids[0] if job.bids else None


def get_finalists(job: Job) -> tuple[PlacedBid, ...]:
    """Return the bids that have a bond locked and are not opened yet, in rank order."""
    return get_standing(job, Standing.FINALIST)


def get_standing(job: Job, *standings: Standing) -> tuple[PlacedBid, ...]:
    """Return the bids that have come to one of these standings, in rank order."""
    return tuple(bid for bid in job.bids if bid.standing in standings)


def replace_bid(bids: Iterable[PlacedBid], new: PlacedBid) -> tuple[PlacedBid, ...]:
    """Return bids with the one of the same bidder replaced; ranks do not change."""
    return tuple(new if bid.bidder == new.bidder else bid for bid in bids)
