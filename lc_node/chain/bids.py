"""How bids come in, and who holds a finalist's place."""

from msgspec.structs import replace

from lc_node.chain.commitments import compute_lot
from lc_node.chain.context import Context
from lc_node.chain.errors_market import BidOnOwnJob, NotAnImprovement, RankingFull
from lc_node.chain.events import BidDropped, BidPlaced, Reason
from lc_node.chain.fees import compute_bid_bond
from lc_node.chain.job import Job, Phase, PlacedBid, Standing
from lc_node.chain.params import ProtocolParams
from lc_node.chain.phases import get_job_in
from lc_node.chain.purse import lock, return_bond, validate_bond
from lc_node.chain.ranking import (
    get_bid,
    get_finalists,
    get_rank,
    get_rank_key,
    get_standing,
    replace_bid,
    sort_bids,
)
from lc_node.chain.state import State
from lc_node.chain.transactions import Bid
from lc_node.chain.types import MicroCredits


def process_bid(state: State, context: Context, body: Bid) -> None:
    """Rank a bid: among the best it is a finalist with a bond, behind them a reserve without.

    A place that a ban freed goes to the next bid that comes in, not to a reserve: nobody's credits
    are locked but by its own transaction.

    Raises:
        UnknownJob, WrongPhase, BidOnOwnJob, NotAnImprovement, RankingFull, BondNotCovered:
            in this order.
    """
    job = get_job_in(state, body.job, Phase.OPEN)
    earlier = get_bid(job, context.sender)
    _validate_bidder(job, context, body, earlier)
    held = earlier.bond if earlier else MicroCredits(0)
    others = replace(job, bids=tuple(bid for bid in job.bids if bid is not earlier))
    placed = _placed(context, body, others)
    _validate_place(context.params, others, placed)
    assert placed.bond >= held, "a finalist that improves stays one, and bounties only rise"
    added = MicroCredits(placed.bond - held)
    validate_bond(state, context.sender, added)

    lock(state, context, job.id, context.sender, added, Reason.BID_BOND)
    ranked = replace(others, bids=sort_bids((*others.bids, placed)))
    context.emit(
        BidPlaced(
            job=job.id,
            reason=Reason.IMPROVED if earlier else Reason.BID,
            bidder=placed.bidder,
            loss=placed.loss,
            rank=get_rank(ranked, placed.bidder),
            bond=placed.bond,
        )
    )
    state.set_job(job.id, _trim(state, context, ranked))


def _validate_bidder(job: Job, context: Context, body: Bid, earlier: PlacedBid | None) -> None:
    """Check that this sender may make this bid."""
    if context.sender == job.submitter:
        raise BidOnOwnJob
    if earlier and body.loss >= earlier.loss:
        raise NotAnImprovement(earlier.loss, body.loss)


def _placed(context: Context, body: Bid, others: Job) -> PlacedBid:
    """Return the bid with the place that it takes beside the others."""
    bid = PlacedBid(
        bidder=context.sender,
        loss=body.loss,
        commitment=body.commitment,
        height=context.height,
        lot=compute_lot(context.chain_id, context.beacon, context.transaction_id),
        bond=MicroCredits(0),
        standing=Standing.RESERVE,
        opening=(),
    )
    finalists = get_finalists(others)
    is_full = len(finalists) >= context.params.finalists_max
    if is_full and get_rank_key(bid) > get_rank_key(finalists[-1]):
        return bid
    bond = compute_bid_bond(context.params, others.bounty)
    return replace(bid, bond=bond, standing=Standing.FINALIST)


def _validate_place(params: ProtocolParams, others: Job, placed: PlacedBid) -> None:
    """Check that a reserve finds a place, or ranks before the last that has one."""
    reserves = get_standing(others, Standing.RESERVE)
    is_full = len(reserves) >= params.reserves_max
    if placed.standing is not Standing.RESERVE or not is_full:
        return
    if not reserves or get_rank_key(placed) > get_rank_key(reserves[-1]):
        last = reserves[-1].loss if reserves else get_finalists(others)[-1].loss
        raise RankingFull(params.finalists_max + params.reserves_max, last)


def _trim(state: State, context: Context, job: Job) -> Job:
    """Return a job in which the last of too many finalists is a reserve, and of those is dropped."""
    finalists = get_finalists(job)
    if len(finalists) > context.params.finalists_max:
        job = _demote(state, context, job, finalists[-1])
    reserves = get_standing(job, Standing.RESERVE)
    if len(reserves) > context.params.reserves_max:
        last = reserves[-1]
        _tell_outbid(context, job, last, rank=0)
        job = replace(job, bids=tuple(bid for bid in job.bids if bid is not last))
    return job


def _demote(state: State, context: Context, job: Job, bid: PlacedBid) -> Job:
    """Return a job in which a finalist is a reserve and has its bond back."""
    _tell_outbid(context, job, bid, rank=get_rank(job, bid.bidder))
    returned = return_bond(state, context, job, bid)
    reserve = replace(bid, bond=MicroCredits(0), standing=Standing.RESERVE)
    return replace(returned, bids=replace_bid(returned.bids, reserve))


def _tell_outbid(context: Context, job: Job, bid: PlacedBid, rank: int) -> None:
    """Tell that a bid lost the place it had to a better one."""
    context.emit(
        BidDropped(job=job.id, reason=Reason.OUTBID, bidder=bid.bidder, loss=bid.loss, rank=rank)
    )
