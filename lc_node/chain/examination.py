"""How candidates are examined one after the other, until one is confirmed or none is left."""

from typing import Final

from msgspec.structs import replace

from lc_node.chain.agreement import Decision, Question, decide
from lc_node.chain.bans import suspend
from lc_node.chain.committee import (
    freeze_examination,
    get_ballots,
    get_drawable,
    get_label,
    grow,
    is_commit_complete,
    is_reveal_complete,
)
from lc_node.chain.context import BlockContext
from lc_node.chain.events import CandidateDecided, CommitteeDrawn, Reason, Suspended
from lc_node.chain.fees import compute_commit_window
from lc_node.chain.job import Examination, Job, Outcome, Phase, PlacedBid, Standing
from lc_node.chain.phases import complete_phase, enter_phase
from lc_node.chain.ranking import get_bid, get_standing, replace_bid
from lc_node.chain.settlement import refund, settle
from lc_node.chain.state import State
from lc_node.chain.types import MillisSpan

REASONS: Final = {
    Outcome.CONFIRMED: Reason.CONFIRMED,
    Outcome.REFUTED: Reason.REFUTED,
    Outcome.MODEL_UNAVAILABLE: Reason.MODEL_UNAVAILABLE,
    Outcome.IMAGE_UNAVAILABLE: Reason.IMAGE_UNAVAILABLE,
    Outcome.CRASHED: Reason.EVALUATION_FAILED,
    Outcome.TIMED_OUT: Reason.EVALUATION_FAILED,
    Outcome.OVERSIZE: Reason.EVALUATION_FAILED,
    Outcome.BAD_OUTPUT: Reason.EVALUATION_FAILED,
    Outcome.UNDECIDED: Reason.UNDECIDED,
}
"""How receipts name what a committee found."""


def examine_next(state: State, block: BlockContext, job: Job) -> None:
    """Draw a committee for the best opened bid, or refund the job if none is left.

    If there is nobody to judge, the bid wins as announced, unverified.
    """
    opened = get_standing(job, Standing.OPENED)
    if not opened:
        refund(state, block, job, Reason.NO_BID_CONFIRMED)
        return
    examination = freeze_examination(state, block.params, job, opened[0])
    begun = replace(job, examinations=(*job.examinations, examination))
    if examination.pool:
        reason = Reason.NEXT_CANDIDATE if job.examinations else Reason.DRAWN
        _convene(state, block, begun, reason)
    else:
        decision = Decision(outcome=Outcome.CONFIRMED)
        decided = _record(block, begun, decision, Reason.NOBODY_TO_VERIFY)
        _follow(state, block, decided)


def end_commit(state: State, block: BlockContext, job: Job) -> None:
    """Let those who have committed reveal."""
    window = block.params.reveal_window_ms
    is_complete = is_commit_complete(job.examinations[-1])
    reason = Reason.ALL_COMMITTED if is_complete else Reason.WINDOW_ENDED
    revealing = enter_phase(state, block, job, Phase.REVEAL, window=window, reason=reason)
    if is_reveal_complete(revealing.examinations[-1]):
        complete_phase(state, block, revealing, Reason.ALL_REVEALED)


def end_reveal(state: State, block: BlockContext, job: Job) -> None:
    """Decide about the candidate, or draw more members."""
    examination = job.examinations[-1]
    question = _question(state, block, job, examination)
    decision = decide(block.params, question, get_ballots(examination))
    if decision is None:
        _convene(state, block, job, Reason.GROWN)
        return
    decided = _record(block, job, decision, REASONS[decision.outcome])
    if _is_appealable(block, examination, is_last=question.last):
        window = block.params.appeal_window_ms
        reason = Reason.AWAITING_APPEAL
        enter_phase(state, block, decided, Phase.APPEAL, window=window, reason=reason)
    else:
        _follow(state, block, decided)


def end_appeal(state: State, block: BlockContext, job: Job) -> None:
    """Let a decision that nobody can change any more have its effect."""
    _follow(state, block, job)


def _convene(state: State, block: BlockContext, job: Job, reason: Reason) -> None:
    """Seat the next size of the current candidate's committee and wait for its verdicts."""
    *earlier, current = job.examinations
    grown = grow(state, block, job, current)
    seated = replace(job, examinations=(*earlier, grown))
    candidate = _candidate(seated)
    (_, model_bytes) = candidate.opening[0]
    window = compute_commit_window(block.params, job.spec, model_bytes)
    entered = enter_phase(state, block, seated, Phase.COMMIT, window=window, reason=reason)
    block.emit(
        CommitteeDrawn(
            job=job.id,
            reason=reason,
            candidate=grown.candidate,
            label=get_label(block.params, job, grown),
            size=grown.size,
            members=tuple(seat.member.key for seat in grown.seats),
            commit_due=entered.due,
        )
    )


def _question(state: State, block: BlockContext, job: Job, examination: Examination) -> Question:
    """Return what a committee decides about."""
    return Question(
        announced=_candidate(job).loss,
        tolerance=job.spec.tolerance,
        seats=len(examination.seats),
        first=examination.size <= block.params.committee_sizes[0],
        last=not get_drawable(state, examination),
    )


def _is_appealable(block: BlockContext, examination: Examination, *, is_last: bool) -> bool:
    """Return whether a decision waits for others to evaluate: not the largest committees'."""
    is_largest = examination.size >= block.params.committee_sizes[-1]
    return block.params.appeal_window_ms > MillisSpan(0) and not is_last and not is_largest


def _record(block: BlockContext, job: Job, decision: Decision, reason: Reason) -> Job:
    """Return a job with the current candidate's decision written down; it has no effect yet."""
    *earlier, current = job.examinations
    decided = replace(
        current,
        outcome=decision.outcome,
        gross=decision.gross,
        discordant=decision.discordant,
    )
    block.emit(
        CandidateDecided(
            job=job.id,
            candidate=current.candidate,
            loss=_candidate(job).loss,
            outcome=decision.outcome,
            reason=Reason.GROSSLY_REFUTED if decision.gross else reason,
        )
    )
    return replace(job, examinations=(*earlier, decided))


def _follow(state: State, block: BlockContext, job: Job) -> None:
    """Let the current candidate's outcome have its effect: settlement, refund, or the next one."""
    examination = job.examinations[-1]
    is_banned = state.account(examination.candidate).is_banned
    if examination.outcome is Outcome.CONFIRMED and not is_banned:
        settle(state, block, job, get_label(block.params, job, examination))
        return
    candidate = replace(_candidate(job), standing=Standing.VOID)
    void = replace(job, bids=replace_bid(job.bids, candidate))
    if examination.outcome is Outcome.IMAGE_UNAVAILABLE:
        refund(state, block, void, Reason.IMAGE_UNAVAILABLE)
        return
    if examination.outcome is Outcome.REFUTED and not is_banned:
        void = _suspend(state, block, void, candidate)
    examine_next(state, block, void)


def _suspend(state: State, block: BlockContext, job: Job, bid: PlacedBid) -> Job:
    """Keep a refuted bidder from moving its credits away before the job is over."""
    suspend(state, bid.bidder, job.id)
    block.emit(Suspended(job=job.id, key=bid.bidder, reason=Reason.REFUTED))
    return replace(job, suspended=tuple(sorted((*job.suspended, bid.bidder))))


def _candidate(job: Job) -> PlacedBid:
    """Return the bid under examination."""
    bid = get_bid(job, job.examinations[-1].candidate)
    assert bid is not None, "a candidate keeps its bid"
    return bid
