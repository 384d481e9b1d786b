"""Credits that a job holds go to somebody, or are burned, and the receipts say why."""

from msgspec.structs import replace

from lc_node.chain.context import BlockContext
from lc_node.chain.credits import burn, charge, pay
from lc_node.chain.errors_market import BondNotCovered
from lc_node.chain.events import Burned, Locked, Paid, Reason
from lc_node.chain.job import Job, PlacedBid
from lc_node.chain.ranking import replace_bid
from lc_node.chain.state import State
from lc_node.chain.types import JobId, MicroCredits, PublicKey


def validate_bond(state: State, bidder: PublicKey, bond: MicroCredits) -> None:
    """Check that a bidder can lock so much.

    Raises:
        BondNotCovered: its balance is smaller.
    """
    balance = state.account(bidder).balance
    if balance < bond:
        raise BondNotCovered(balance, bond)


def lock(
    state: State,
    block: BlockContext,
    job: JobId,
    key: PublicKey,
    amount: MicroCredits,
    why: Reason,
) -> None:
    """Take credits from a balance for a job to hold; the caller has checked that they are there."""
    if amount:
        charge(state, key, amount)
        block.emit(Locked(job=job, key=key, reason=why, amount=amount))


def give(
    state: State,
    block: BlockContext,
    job: JobId,
    key: PublicKey,
    amount: MicroCredits,
    why: Reason,
) -> None:
    """Pay credits that a job held; to a banned key they are burned."""
    if state.account(key).is_banned:
        destroy(state, block, job, key, amount, why)
    elif amount:
        pay(state, key, amount)
        block.emit(Paid(job=job, to=key, reason=why, amount=amount))


def destroy(
    state: State,
    block: BlockContext,
    job: JobId,
    key: PublicKey,
    amount: MicroCredits,
    why: Reason,
) -> None:
    """Burn credits that a job held, or that were taken from a bond; ``key`` loses them."""
    if amount:
        burn(state, amount)
        block.emit(Burned(job=job, key=key, reason=why, amount=amount))


def return_bond(state: State, block: BlockContext, job: Job, bid: PlacedBid) -> Job:
    """Return a job with a bid's bond given back to its bidder."""
    give(state, block, job.id, bid.bidder, bid.bond, Reason.BID_BOND)
    return _without_bond(job, bid)


def burn_bond(state: State, block: BlockContext, job: Job, bid: PlacedBid, why: Reason) -> Job:
    """Return a job with a bid's bond burned."""
    destroy(state, block, job.id, bid.bidder, bid.bond, why)
    return _without_bond(job, bid)


def _without_bond(job: Job, bid: PlacedBid) -> Job:
    """Return a job in which a bid has no bond."""
    return replace(job, bids=replace_bid(job.bids, replace(bid, bond=MicroCredits(0))))
