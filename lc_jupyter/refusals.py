"""Says what to do when a job cannot be changed, or has no model to give."""

from typing import Final

from lc_jupyter.errors import UserError
from lc_jupyter.units import short, short_job, show_seconds
from lc_jupyter.watching import now_ms
from lc_node.api.calls import Call
from lc_node.api.client import ApiError, Client, Refused
from lc_node.api.schema import Phase, Receipt
from lc_node.api.schema_jobs import JobStory

_UNAVAILABLE: Final = "BlobUnavailable"
"""The code of a refusal: nobody who has a blob can be reached."""
_REMEDIES: Final = {
    "WrongPhase": "%%lc_submit posts another one",
    "NotSubmitter": "%lc_jobs --mine lists yours",
}
"""What to do about a refusal to change a job, by its code."""


def change(client: Client, call: Call[Receipt]) -> Receipt:
    """Ask for a change of a job.

    Raises:
        ApiError: the chain refuses; the message says what to do where something can be done.
    """
    try:
        return client.call(call)
    except Refused as refusal:
        remedy = _REMEDIES.get(refusal.code)
        if remedy is None:
            raise
        message = f"{refusal.message}; {remedy}"
        raise Refused(refusal.code, message, refusal.fields) from None


def validate_settled(story: JobStory) -> None:
    """Check that a job has a winner.

    Raises:
        UserError: it goes on, or ended without one; the message says what to do.
    """
    job = story.summary
    if not job.phase.is_over:
        wait = f"%lc_wait {short_job(job.job)} waits for it"
        ends = ""
        if job.phase is Phase.OPEN:
            ends = f", bidding ends in {show_seconds((job.expiry - now_ms()) // 1000)}"
        message = f"Job {short_job(job.job)} is not settled yet ({job.phase.value}{ends}); {wait}."
        raise UserError(message)
    if job.winner is None:
        is_taken_back = job.phase is Phase.CANCELLED
        reason = story.reason_text.removeprefix(f"{job.phase.value}: ")
        why = f": {reason}" if reason and not is_taken_back else ""
        remedy = "Post it again"
        if job.phase is Phase.REFUNDED:
            remedy += ", with a longer --expires or a higher --bounty"
        message = f"Job {short_job(job.job)} has no model to pull, it was {job.phase.value}{why}. {remedy}."
        raise UserError(message)


def explained(error: ApiError, story: JobStory) -> Exception:
    """Return an error of fetching a model, with what to do about it."""
    if error.code != _UNAVAILABLE or story.summary.winner is None:
        return error
    winner, job = short(story.summary.winner), short_job(story.summary.job)
    return UserError(
        f"The model that won job {job} cannot be had now ({error.message.rstrip('.')}). The winner {winner} keeps "
        "it for as long as it has room: pull again when that node is online (%lc_peers). If nobody has the model "
        "any more, post the job again."
    )
