"""How a job ends: everything that it held goes where it belongs, and the receipts say why."""

from msgspec.structs import replace

from lc_node.chain.agreement import get_agreeing, get_grossly_wrong
from lc_node.chain.bans import release
from lc_node.chain.committee import count_duty, get_ballots
from lc_node.chain.context import BlockContext
from lc_node.chain.credits import slash
from lc_node.chain.events import JobEnded, JobForgotten, Reason
from lc_node.chain.fees import compute_evaluation_price, compute_share
from lc_node.chain.job import (
    Examination,
    Job,
    Label,
    Outcome,
    Phase,
    PlacedBid,
    Standing,
    get_held_credits,
)
from lc_node.chain.market_bans import ban_bidder
from lc_node.chain.purse import burn_bond, destroy, give, return_bond
from lc_node.chain.ranking import get_bid, replace_bid
from lc_node.chain.records import Member
from lc_node.chain.state import State
from lc_node.chain.types import MicroCredits, Millis, PublicKey

LOST_WITH_A_CONFIRMED_BID = frozenset(
    {Outcome.CRASHED, Outcome.TIMED_OUT, Outcome.OVERSIZE, Outcome.BAD_OUTPUT}
)
"""What may be the job's fault as well as the model's: another bid shows which."""
LOST_IN_ANY_CASE = frozenset({Outcome.REFUTED, Outcome.MODEL_UNAVAILABLE})


def cancel(state: State, block: BlockContext, job: Job) -> None:
    """End a job that nobody bid on, and return everything to its submitter."""
    give(state, block, job.id, job.submitter, job.escrow, Reason.CANCELLED)
    give(state, block, job.id, job.submitter, job.fee_held, Reason.FEE_REST)
    _end(state, block, job, Phase.CANCELLED, Reason.CANCELLED)


def settle(state: State, block: BlockContext, job: Job, label: Label) -> None:
    """Pay the bidder whose examination just confirmed its loss, and all others what is theirs.

    Bidders who were grossly refuted are banned: that another bid was confirmed by a committee shows
    that the job's evaluation can be trusted.
    """
    final = job.examinations[-1]
    winner = get_bid(job, final.candidate)
    assert winner is not None, "a candidate keeps its bid"
    confirmed = replace(winner, standing=Standing.CONFIRMED)
    won = replace(job, bids=replace_bid(job.bids, confirmed), winner=(winner.bidder,), label=label)
    judged = _judge_verifiers(state, block, won)
    released = _release_bonds(state, block, judged)
    give(state, block, job.id, winner.bidder, job.escrow, Reason.BOUNTY)
    give(state, block, job.id, job.submitter, released.fee_held, Reason.FEE_REST)
    _end(state, block, released, Phase.SETTLED, Reason.CONFIRMED)
    for examination in job.examinations:
        if examination.gross and final.seats:
            ban_bidder(state, block, job.id, examination.candidate)


def refund(state: State, block: BlockContext, job: Job, reason: Reason) -> None:
    """End a job without a winner: the bounty returns to its submitter.

    A part is burned if the evaluation answered at random. If the image cannot be had the fee is
    kept; what the verifiers do not earn of it is burned. Bonds that earlier candidates lost by a
    verdict stay lost even then, or deleting the image would save an accomplice.
    """
    judged = _judge_verifiers(state, block, job)
    released = _release_bonds(state, block, judged)
    burned = _random_evaluation_penalty(block, job)
    destroy(state, block, job.id, job.submitter, burned, Reason.RANDOM_EVALUATION)
    rest = MicroCredits(job.escrow - burned)
    give(state, block, job.id, job.submitter, rest, Reason.BOUNTY)
    if reason is Reason.IMAGE_UNAVAILABLE:
        destroy(state, block, job.id, job.submitter, released.fee_held, Reason.FEE_KEPT)
    else:
        give(state, block, job.id, job.submitter, released.fee_held, Reason.FEE_REST)
    _end(state, block, released, Phase.REFUNDED, reason)


def forget(state: State, block: BlockContext, job: Job) -> None:
    """Prune a job that has been over for long; its receipts remain."""
    assert get_held_credits(job) == 0, "a job that is over holds nothing"
    state.delete_job(job.id)
    block.emit(JobForgotten(job=job.id, reason=Reason.FORGOTTEN))


def _judge_verifiers(state: State, block: BlockContext, job: Job) -> Job:
    """Pay the members who agreed, take from those who failed; return the job with what is left."""
    for examination in job.examinations:
        job = _pay_agreeing(state, block, job, examination)
        _slash_failing(state, block, job, examination)
    return job


def _pay_agreeing(state: State, block: BlockContext, job: Job, examination: Examination) -> Job:
    """Pay members up to the price of an evaluation: for the final candidate from the fee.

    For another candidate the money is its lost bond; where that returns, nothing is paid.
    """
    bid = get_bid(job, examination.candidate)
    assert bid is not None, "a candidate keeps its bid"
    is_final = examination is job.examinations[-1]
    from_bond = bid.bond if _is_bond_lost(job, examination) else 0
    purse = job.fee_held if is_final else from_bond
    agreeing = get_agreeing(get_ballots(examination), examination.outcome, job.spec.tolerance)
    price = compute_evaluation_price(block.params, job.spec)
    share = MicroCredits(min(price, purse // max(1, len(agreeing))))
    for member in agreeing:
        count_duty(state, member)
        give(state, block, job.id, member, share, Reason.VERIFIED)
    paid = share * len(agreeing)
    if is_final:
        return replace(job, fee_held=MicroCredits(job.fee_held - paid))
    return replace(
        job, bids=replace_bid(job.bids, replace(bid, bond=MicroCredits(bid.bond - paid)))
    )


def _slash_failing(state: State, block: BlockContext, job: Job, examination: Examination) -> None:
    """Take from the bonds of members who stayed silent, or showed losses far off the truth."""
    wrong = get_grossly_wrong(
        block.params, get_ballots(examination), examination.outcome, job.spec.tolerance
    )
    for seat in examination.seats:
        if not seat.verdict:
            _slash(state, block, job, seat.member, Reason.SILENT)
        elif seat.member.key in wrong:
            _slash(state, block, job, seat.member, Reason.WRONG_LOSSES)


def _slash(state: State, block: BlockContext, job: Job, member: Member, reason: Reason) -> None:
    """Burn the part of a member's bond, as it was when the pool was frozen, that a failure costs."""
    silent, wrong = block.params.silent_slash_ppm, block.params.wrong_slash_ppm
    part = silent if reason is Reason.SILENT else wrong
    taken = slash(state, member.key, compute_share(MicroCredits(member.weight), part))
    destroy(state, block, job.id, member.key, taken, reason)


def _release_bonds(state: State, block: BlockContext, job: Job) -> Job:
    """Return the job with every bond given back or burned."""
    reasons = {
        examination.candidate: _REASONS[examination.outcome]
        for examination in job.examinations
        if _is_bond_lost(job, examination)
    }
    for bid in job.bids:
        job = _release_bond(state, block, job, bid, reasons)
    return job


def _release_bond(
    state: State,
    block: BlockContext,
    job: Job,
    bid: PlacedBid,
    reasons: dict[PublicKey, Reason],
) -> Job:
    """Return the job with one bid's bond burned, if there is a reason to, or given back."""
    if bid.bidder in reasons:
        return burn_bond(state, block, job, bid, reasons[bid.bidder])
    return return_bond(state, block, job, bid)


_REASONS = {
    Outcome.REFUTED: Reason.REFUTED,
    Outcome.MODEL_UNAVAILABLE: Reason.MODEL_UNAVAILABLE,
    Outcome.CRASHED: Reason.EVALUATION_FAILED,
    Outcome.TIMED_OUT: Reason.EVALUATION_FAILED,
    Outcome.OVERSIZE: Reason.EVALUATION_FAILED,
    Outcome.BAD_OUTPUT: Reason.EVALUATION_FAILED,
}
"""Why a bond is lost."""


def _is_bond_lost(job: Job, examination: Examination) -> bool:
    """Return whether a candidate loses its bond, now that the job is decided."""
    if examination.outcome in LOST_IN_ANY_CASE:
        return True
    is_trusted = bool(job.winner) and bool(job.examinations[-1].seats)
    return is_trusted and examination.outcome in LOST_WITH_A_CONFIRMED_BID


def _random_evaluation_penalty(block: BlockContext, job: Job) -> MicroCredits:
    """Return what of the bounty is burned because verifiers' losses did not match."""
    if any(examination.discordant for examination in job.examinations):
        return compute_share(job.escrow, block.params.undecided_burn_ppm)
    return MicroCredits(0)


def _end(state: State, block: BlockContext, job: Job, phase: Phase, reason: Reason) -> None:
    """Store a job that is over, without what only mattered before, and lift its suspensions."""
    params = block.params
    kept_ms = params.history_kept_ms if job.bids else params.unfought_kept_ms
    ended = replace(
        job,
        phase=phase,
        due=Millis(block.time + kept_ms),
        escrow=MicroCredits(0),
        fee_held=MicroCredits(0),
        examinations=tuple(replace(done, pool=()) for done in job.examinations),
    )
    assert get_held_credits(ended) == 0, "all bonds were given back or burned before"
    state.set_job(job.id, ended)
    for key in job.suspended:
        release(state, key, job.id)
    block.emit(
        JobEnded(
            job=job.id,
            reason=reason,
            phase=phase,
            winner=job.winner,
            loss=tuple(bid.loss for bid in job.bids if bid.bidder in job.winner),
            label=job.label,
        )
    )
