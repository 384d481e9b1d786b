"""How a job moves from phase to phase: each change sets when it ends, and is told."""

from msgspec.structs import replace

from lc_node.chain.context import BlockContext
from lc_node.chain.errors_market import UnknownJob, WrongPhase
from lc_node.chain.events import PhaseComplete, PhaseEntered, Reason
from lc_node.chain.job import Job, Phase
from lc_node.chain.state import State
from lc_node.chain.types import JobId, Millis, MillisSpan


def get_job_in(state: State, job_id: JobId, phase: Phase) -> Job:
    """Return a job that must be in a phase. Whether the phase is overdue does not matter.

    Raises:
        UnknownJob, WrongPhase: it is not there, or elsewhere in its life.
    """
    job = state.job(job_id)
    if job is None:
        raise UnknownJob(job_id)
    if job.phase is not phase:
        raise WrongPhase(phase.name, job.phase.name)
    return job


def enter_phase(
    state: State,
    block: BlockContext,
    job: Job,
    phase: Phase,
    *,
    window: MillisSpan,
    reason: Reason,
) -> Job:
    """Move a job into a phase that ends by itself after a window."""
    due = Millis(block.time + window)
    entered = replace(job, phase=phase, due=due)
    state.set_job(job.id, entered)
    block.emit(PhaseEntered(job=job.id, reason=reason, phase=phase, due=due))
    return entered


def complete_phase(state: State, block: BlockContext, job: Job, reason: Reason) -> None:
    """End a phase now that nothing more can come: the next block's deadlines take the step."""
    state.set_job(job.id, replace(job, due=block.time))
    block.emit(PhaseComplete(job=job.id, reason=reason, phase=job.phase))
