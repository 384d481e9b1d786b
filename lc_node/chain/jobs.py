"""What a submitter may do: post a job, and change it while nobody relies on it."""

from msgspec.structs import replace

from lc_node.chain.context import Context
from lc_node.chain.credits import validate_balance
from lc_node.chain.errors_market import HasBids, NothingAdded, NotSubmitter
from lc_node.chain.events import JobChanged, JobPosted, Reason
from lc_node.chain.fees import compute_fee
from lc_node.chain.job import Job, Label, Phase
from lc_node.chain.job_limits import validate_expiry, validate_spec
from lc_node.chain.phases import get_job_in
from lc_node.chain.purse import lock
from lc_node.chain.settlement import cancel
from lc_node.chain.state import State
from lc_node.chain.transactions import Cancel, Extend, JobSpec, PostJob, TopUp
from lc_node.chain.types import JobId, MicroCredits, Millis, PublicKey


def process_post_job(state: State, context: Context, body: PostJob) -> None:
    """Open a job; bounty and fee leave the submitter's balance now.

    Raises:
        OptionUnsupported, BountyTooSmall, ContractUnknown, ImageNowhere, LimitOutOfRange,
        ExpiryOutOfRange, InsufficientBalance: in this order.
    """
    spec = body.spec
    validate_spec(context.params, spec, context.time)
    fee = compute_fee(context.params, spec)
    validate_balance(state, context.sender, MicroCredits(spec.bounty + fee))
    job = _open_job(JobId(context.transaction_id), spec, context.sender, fee)
    lock(state, context, job.id, context.sender, job.escrow, Reason.BOUNTY)
    lock(state, context, job.id, context.sender, fee, Reason.FEE)
    state.set_job(job.id, job)
    context.emit(
        JobPosted(
            job=job.id,
            reason=Reason.POSTED,
            submitter=job.submitter,
            bounty=job.bounty,
            fee=fee,
            expiry=job.expiry,
        )
    )


def process_top_up(state: State, context: Context, body: TopUp) -> None:
    """Raise the bounty of an open job, also when there are bids.

    Raises:
        UnknownJob, WrongPhase, NotSubmitter, NothingAdded, InsufficientBalance: in this order.
    """
    job = _get_own_job(state, context.sender, body.job)
    if body.amount == 0:
        raise NothingAdded
    validate_balance(state, context.sender, body.amount)
    lock(state, context, job.id, context.sender, body.amount, Reason.BOUNTY)
    raised = replace(
        job,
        bounty=MicroCredits(job.bounty + body.amount),
        escrow=MicroCredits(job.escrow + body.amount),
    )
    _change(state, context, raised, Reason.TOPPED_UP)


def process_extend(state: State, context: Context, body: Extend) -> None:
    """Move the expiry of an open job without bids to a later time.

    Raises:
        UnknownJob, WrongPhase, NotSubmitter, HasBids, ExpiryOutOfRange: in this order.
    """
    job = _get_own_job(state, context.sender, body.job)
    _validate_no_bids(job)
    later = Millis(max(job.expiry + 1, context.time + context.params.expiry_min_ms))
    validate_expiry(body.expiry, later, context.time, context.params.expiry_max_ms)
    extended = replace(job, expiry=body.expiry, due=body.expiry)
    _change(state, context, extended, Reason.EXTENDED)


def process_cancel(state: State, context: Context, body: Cancel) -> None:
    """Take back an open job without bids, with everything that was paid for it.

    Raises:
        UnknownJob, WrongPhase, NotSubmitter, HasBids: in this order.
    """
    job = _get_own_job(state, context.sender, body.job)
    _validate_no_bids(job)
    cancel(state, context, job)


def _open_job(job_id: JobId, spec: JobSpec, submitter: PublicKey, fee: MicroCredits) -> Job:
    """Return a job as it begins."""
    return Job(
        id=job_id,
        spec=spec,
        submitter=submitter,
        phase=Phase.OPEN,
        due=spec.expiry,
        expiry=spec.expiry,
        bounty=spec.bounty,
        escrow=spec.bounty,
        fee_held=fee,
        bids=(),
        rounds=0,
        examinations=(),
        suspended=(),
        winner=(),
        label=Label.NONE,
    )


def _get_own_job(state: State, sender: PublicKey, job_id: JobId) -> Job:
    """Return an open job of the sender's."""
    job = get_job_in(state, job_id, Phase.OPEN)
    if job.submitter != sender:
        raise NotSubmitter(job.submitter)
    return job


def _validate_no_bids(job: Job) -> None:
    """Check that nobody relies on the job yet."""
    if job.bids:
        raise HasBids(len(job.bids))


def _change(state: State, context: Context, job: Job, reason: Reason) -> None:
    """Store a changed job and tell of it."""
    state.set_job(job.id, job)
    context.emit(JobChanged(job=job.id, reason=reason, bounty=job.bounty, expiry=job.expiry))
