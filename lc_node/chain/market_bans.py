"""What a ban takes from a key in the market: its bids, and their bonds, in every job."""

from msgspec.structs import replace

from lc_node.chain.bans import ban
from lc_node.chain.context import BlockContext
from lc_node.chain.events import Banned, BidDropped, Reason
from lc_node.chain.job import Job, Phase, PlacedBid, Standing
from lc_node.chain.phases import complete_phase
from lc_node.chain.purse import burn_bond
from lc_node.chain.ranking import get_bid, get_standing
from lc_node.chain.state import State
from lc_node.chain.types import JobId, PublicKey


def ban_bidder(state: State, block: BlockContext, job: JobId, key: PublicKey) -> None:
    """Ban a bidder whose claim was grossly refuted in a job that is settled now."""
    burned = ban(state, key, block.time)
    block.emit(Banned(job=job, key=key, reason=Reason.GROSSLY_REFUTED, burned=burned))
    drop_bids(state, block, key)


def drop_bids(state: State, block: BlockContext, key: PublicKey) -> None:
    """Burn the bonds of a banned key's bids and take these out of the race, in every live job.

    A bid that was or is being examined stays on record without a bond: its committee finishes, and
    is judged, but a banned candidate wins nothing.
    """
    for job in tuple(state.live_jobs()):
        bid = get_bid(job, key)
        if bid is not None:
            _drop_bid(state, block, job, bid)


def is_opening_complete(job: Job) -> bool:
    """Return whether nobody is left who could open in this phase."""
    return not get_standing(job, Standing.FINALIST, Standing.INVITED)


def _drop_bid(state: State, block: BlockContext, job: Job, bid: PlacedBid) -> None:
    """Take one bid out of one job."""
    burned = burn_bond(state, block, job, bid, Reason.BIDDER_BANNED)
    if any(examination.candidate == bid.bidder for examination in job.examinations):
        state.set_job(job.id, burned)
        return
    rest = replace(burned, bids=tuple(b for b in burned.bids if b.bidder != bid.bidder))
    state.set_job(job.id, rest)
    block.emit(
        BidDropped(
            job=job.id, reason=Reason.BIDDER_BANNED, bidder=bid.bidder, loss=bid.loss, rank=0
        )
    )
    if job.phase is Phase.OPENING and is_opening_complete(rest):
        complete_phase(state, block, rest, Reason.ALL_OPENED)
