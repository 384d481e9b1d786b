"""What the chain expects of a key now, and what anyone may ask of a job."""

from enum import StrEnum

from lc_node.chain.committee import get_seat
from lc_node.chain.job import Examination, Job, Phase, PlacedBid, Standing
from lc_node.chain.ranking import get_bid
from lc_node.chain.types import Millis, PublicKey


class Duty(StrEnum):
    """Something that costs its owner credits if it is left undone."""

    NONE = "none"
    OPEN = "open"
    """Send Open: as a finalist the bond is at stake; as a reserve, the chance."""
    COMMIT = "commit"
    """Evaluate the candidate, send VerdictCommit."""
    REVEAL = "reveal"
    """Send VerdictReveal with what was committed to."""


def get_duty(job: Job, key: PublicKey) -> Duty:
    """Return what the chain expects of a key in a job now."""
    if job.phase is Phase.OPENING:
        bid = get_bid(job, key)
        is_due = bid is not None and bid.standing in (Standing.FINALIST, Standing.INVITED)
        return Duty.OPEN if is_due else Duty.NONE
    examination = get_examination(job)
    seat = get_seat(examination, key) if examination else None
    if examination is None or seat is None or seat.size != examination.size:
        return Duty.NONE
    if job.phase is Phase.COMMIT and not seat.commitment:
        return Duty.COMMIT
    if job.phase is Phase.REVEAL and seat.commitment and not seat.verdict:
        return Duty.REVEAL
    return Duty.NONE


def get_examination(job: Job) -> Examination | None:
    """Return the current, or last, examination; None before the first."""
    return job.examinations[-1] if job.examinations else None


def get_candidate(job: Job) -> PlacedBid | None:
    """Return the bid that is or was examined last, None before the first."""
    examination = get_examination(job)
    return get_bid(job, examination.candidate) if examination else None


def get_commit_due(job: Job) -> Millis | None:
    """Return until when members may commit, None unless the job waits for them."""
    return job.due if job.phase is Phase.COMMIT else None


def get_winner(job: Job) -> PlacedBid | None:
    """Return the bid that won, None if none did, or not yet."""
    return get_bid(job, job.winner[0]) if job.winner else None
