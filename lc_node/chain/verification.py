"""What committee members send: first a hidden verdict, then, when all are hidden, the verdict."""

from msgspec.structs import replace

from lc_node.chain.commitments import SeatName, compute_verdict_commitment
from lc_node.chain.committee import (
    get_duties,
    get_seat,
    is_commit_complete,
    is_reveal_complete,
    set_duties,
)
from lc_node.chain.context import Context
from lc_node.chain.errors_market import (
    NotExpectedToJudge,
    NotTheCandidate,
    TooManyDeclines,
    VerdictMeaningless,
    VerdictMismatch,
)
from lc_node.chain.events import Reason, VerdictCommitted, VerdictRevealed
from lc_node.chain.job import Job, Phase, Seat, Verdict
from lc_node.chain.params import ProtocolParams
from lc_node.chain.phases import complete_phase, get_job_in
from lc_node.chain.records import Duties
from lc_node.chain.state import State
from lc_node.chain.transactions import Fault, VerdictCommit, VerdictReveal
from lc_node.chain.types import PublicKey


def process_verdict_commit(state: State, context: Context, body: VerdictCommit) -> None:
    """Take a member's hidden verdict; when all have come the members may reveal.

    Raises:
        UnknownJob, WrongPhase, NotTheCandidate, NotExpectedToJudge: in this order.
    """
    job = get_job_in(state, body.job, Phase.COMMIT)
    seat = _get_seat(job, context.sender, body.candidate)
    if seat.commitment or seat.size != job.examinations[-1].size:
        raise NotExpectedToJudge
    taken = _with_seat(job, replace(seat, commitment=(body.commitment,)))
    state.set_job(job.id, taken)
    context.emit(VerdictCommitted(job=job.id, candidate=body.candidate, member=context.sender))
    if is_commit_complete(taken.examinations[-1]):
        complete_phase(state, context, taken, Reason.ALL_COMMITTED)


def process_verdict_reveal(state: State, context: Context, body: VerdictReveal) -> None:
    """Take a member's verdict; when all who committed have revealed the committee decides.

    Who declines counts as a seat without a verdict, but only so many draws may be declined.

    Raises:
        UnknownJob, WrongPhase, NotTheCandidate, NotExpectedToJudge, VerdictMismatch,
        VerdictMeaningless, TooManyDeclines: in this order.
    """
    job = get_job_in(state, body.job, Phase.REVEAL)
    seat = _get_seat(job, context.sender, body.candidate)
    verdict = Verdict(losses=body.losses, fault=body.fault)
    _validate_reveal(context, job, seat, body, verdict)
    if body.fault is Fault.DECLINED:
        _count_decline(state, context)
    taken = _with_seat(job, replace(seat, verdict=(verdict,)))
    state.set_job(job.id, taken)
    context.emit(
        VerdictRevealed(
            job=job.id,
            candidate=body.candidate,
            member=context.sender,
            losses=body.losses,
            fault=body.fault,
        )
    )
    if is_reveal_complete(taken.examinations[-1]):
        complete_phase(state, context, taken, Reason.ALL_REVEALED)


def is_decline_free(params: ProtocolParams, duties: Duties) -> bool:
    """Return whether one more draw may be declined: of every ten of the epoch begun, one.

    Who was drawn at the end of the epoch before may decline in this one, in which it has no draw yet.
    """
    begun = -(-max(1, duties.draws) // params.declines_of)
    return duties.declines < params.declines_free * begun


def _get_seat(job: Job, member: PublicKey, candidate: PublicKey) -> Seat:
    """Return the sender's seat on the committee for the candidate that it names."""
    examination = job.examinations[-1]
    if candidate != examination.candidate:
        raise NotTheCandidate(examination.candidate, candidate)
    seat = get_seat(examination, member)
    if seat is None:
        raise NotExpectedToJudge
    return seat


def _validate_reveal(
    context: Context, job: Job, seat: Seat, body: VerdictReveal, verdict: Verdict
) -> None:
    """Check that a verdict is what its member committed to, and means something."""
    if seat.verdict or not seat.commitment or seat.size != job.examinations[-1].size:
        raise NotExpectedToJudge
    name = SeatName(job=job.id, candidate=body.candidate, size=seat.size, member=context.sender)
    hidden = compute_verdict_commitment(context.chain_id, name, verdict, body.salt)
    if seat.commitment != (hidden,):
        raise VerdictMismatch
    if bool(body.losses) == (body.fault is not Fault.NONE):
        raise VerdictMeaningless


def _count_decline(state: State, context: Context) -> None:
    """Count a decline; raises TooManyDeclines, before any change, if it is one too many."""
    duties = get_duties(state, context, context.sender)
    if not is_decline_free(context.params, duties):
        raise TooManyDeclines(duties.draws, duties.declines)
    set_duties(state, context.sender, replace(duties, declines=duties.declines + 1))


def _with_seat(job: Job, seat: Seat) -> Job:
    """Return a job with one seat of the current committee replaced."""
    *earlier, current = job.examinations
    seats = tuple(seat if s.member.key == seat.member.key else s for s in current.seats)
    return replace(job, examinations=(*earlier, replace(current, seats=seats)))
