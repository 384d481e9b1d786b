"""How finalists name their models after the expiry, and reserves if no finalist does."""

from msgspec.structs import replace

from lc_node.chain.commitments import Announcement, compute_bid_commitment
from lc_node.chain.context import BlockContext, Context
from lc_node.chain.errors_market import ModelTooLarge, NotExpectedToOpen, OpeningMismatch
from lc_node.chain.events import BidDropped, BidOpened, Reason
from lc_node.chain.examination import examine_next
from lc_node.chain.fees import compute_bid_bond
from lc_node.chain.job import Job, Phase, PlacedBid, Standing
from lc_node.chain.market_bans import is_opening_complete
from lc_node.chain.phases import complete_phase, enter_phase, get_job_in
from lc_node.chain.purse import burn_bond, lock, validate_bond
from lc_node.chain.ranking import get_bid, get_finalists, get_standing, replace_bid
from lc_node.chain.settlement import refund
from lc_node.chain.state import State
from lc_node.chain.transactions import Open
from lc_node.chain.types import MicroCredits


def process_open(state: State, context: Context, body: Open) -> None:
    """Take the model that a finalist's bid was bound to; a reserve's Open also locks its bond.

    Raises:
        UnknownJob, WrongPhase, NotExpectedToOpen, OpeningMismatch, ModelTooLarge, BondNotCovered:
            in this order.
    """
    job = get_job_in(state, body.job, Phase.OPENING)
    bid = get_bid(job, context.sender)
    if bid is None or bid.standing not in (Standing.FINALIST, Standing.INVITED):
        raise NotExpectedToOpen
    _validate_opening(context, job, bid, body)
    added = _bond_to_add(context, job, bid)
    validate_bond(state, context.sender, added)

    lock(state, context, job.id, context.sender, added, Reason.BID_BOND)
    opened = replace(
        bid,
        bond=MicroCredits(bid.bond + added),
        standing=Standing.OPENED,
        opening=((body.model_root, body.model_bytes),),
    )
    taken = replace(job, bids=replace_bid(job.bids, opened))
    state.set_job(job.id, taken)
    context.emit(
        BidOpened(
            job=job.id,
            bidder=bid.bidder,
            loss=bid.loss,
            model_root=body.model_root,
            model_bytes=body.model_bytes,
        )
    )
    if is_opening_complete(taken):
        complete_phase(state, context, taken, Reason.ALL_OPENED)


def end_bidding(state: State, block: BlockContext, job: Job) -> None:
    """Close the ranking: finalists are to open, or the job is refunded if nobody bid."""
    if not job.bids:
        refund(state, block, job, Reason.NO_BIDS)
    elif get_finalists(job):
        window = block.params.open_window_ms
        enter_phase(state, block, job, Phase.OPENING, window=window, reason=Reason.EXPIRED)
    else:
        _invite_reserves(state, block, job)


def end_opening(state: State, block: BlockContext, job: Job) -> None:
    """Drop who has not opened, then examine the best who has; without any, ask the reserves."""
    for bid in get_standing(job, Standing.FINALIST, Standing.INVITED):
        job = _drop(state, block, job, bid)
    if get_standing(job, Standing.OPENED):
        examine_next(state, block, job)
    else:
        _invite_reserves(state, block, job)


def _validate_opening(context: Context, job: Job, bid: PlacedBid, body: Open) -> None:
    """Check that what is opened is what was committed to, and allowed."""
    announced = Announcement(
        job=job.id,
        bidder=bid.bidder,
        loss=bid.loss,
        model_root=body.model_root,
        model_bytes=body.model_bytes,
    )
    if compute_bid_commitment(context.chain_id, announced, body.salt) != bid.commitment:
        raise OpeningMismatch
    if body.model_bytes > job.spec.model_bytes_max:
        raise ModelTooLarge(job.spec.model_bytes_max, body.model_bytes)


def _bond_to_add(context: Context, job: Job, bid: PlacedBid) -> MicroCredits:
    """Return what an Open locks: a finalist's bond is there already."""
    if bid.standing is Standing.FINALIST:
        return MicroCredits(0)
    return compute_bid_bond(context.params, job.bounty)


def _drop(state: State, block: BlockContext, job: Job, bid: PlacedBid) -> Job:
    """Return a job in which a bid that was not opened has lost its place, and its bond if any."""
    block.emit(
        BidDropped(job=job.id, reason=Reason.NOT_OPENED, bidder=bid.bidder, loss=bid.loss, rank=0)
    )
    burned = burn_bond(state, block, job, bid, Reason.NOT_OPENED)
    dropped = replace(bid, bond=MicroCredits(0), standing=Standing.NOT_OPENED)
    return replace(burned, bids=replace_bid(burned.bids, dropped))


def _invite_reserves(state: State, block: BlockContext, job: Job) -> None:
    """Give the best reserves a window to open, or refund the job after so many rounds."""
    reserves = get_standing(job, Standing.RESERVE)[: block.params.finalists_max]
    if not reserves or job.rounds >= block.params.reserve_rounds_max:
        refund(state, block, job, Reason.NOBODY_OPENED)
        return
    bids = job.bids
    for bid in reserves:
        bids = replace_bid(bids, replace(bid, standing=Standing.INVITED))
    invited = replace(job, bids=bids, rounds=job.rounds + 1)
    window, reason = block.params.open_window_ms, Reason.RESERVES_INVITED
    enter_phase(state, block, invited, Phase.OPENING, window=window, reason=reason)
