"""A job of the chain as the API shows it: a line in a table, or its whole story."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lc_node.api import schema, schema_jobs
from lc_node.chain.agreement import compute_mean, is_confirming
from lc_node.chain.job import Examination, Job, Label, Outcome, PlacedBid, Seat, Standing
from lc_node.chain.ranking import get_leader, get_rank
from lc_node.chain.types import Height, JobId, Millis, PublicKey
from lc_node.runtime.desk import Desk
from lc_node.runtime.event_texts import address, api_phase, job_name
from lc_node.worker.duties import Stage, get_stage

_STANDINGS = {
    Standing.RESERVE: "reserve",
    Standing.INVITED: "invited to open",
    Standing.FINALIST: "finalist",
    Standing.OPENED: "opened",
    Standing.NOT_OPENED: "never opened",
    Standing.VOID: "void",
    Standing.CONFIRMED: "confirmed",
}
_VOID = (Standing.VOID, Standing.NOT_OPENED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks, and what it knows besides the chain."""

    me: PublicKey
    desks: Mapping[JobId, Desk]
    times: Mapping[Height, Millis]
    """Times of blocks that hold bids."""


def summary_of(job: Job, viewer: Viewer, posted: Millis) -> schema_jobs.JobSummary:
    """Return a line in a table of jobs."""
    leader = get_leader(job)
    winner = job.winner[0] if job.winner else None
    best = next((bid for bid in job.bids if bid.bidder == winner), leader)
    return schema_jobs.JobSummary(
        job=job_name(job.id),
        title=job.spec.title,
        submitter=address(job.submitter),
        mine=job.submitter == viewer.me,
        phase=api_phase(job.phase),
        bounty=schema.MicroCredits(job.bounty),
        posted=schema.Millis(posted),
        expiry=schema.Millis(job.expiry),
        due=schema.Millis(job.due),
        bids=len(job.bids),
        best_loss=None if best is None else schema.NanoLoss(best.loss),
        leader=None if leader is None else address(leader.bidder),
        winner=None if winner is None else address(winner),
        label="" if job.label is Label.NONE else str(job.label),
        model_format=schema.ModelFormat(job.spec.model_format.value),
        local=_local(job, viewer),
    )


def story_of(
    job: Job, viewer: Viewer, posted: Millis, events: Sequence[schema.Event]
) -> schema_jobs.JobStory:
    """Return everything that is known of one job."""
    current = job.examinations[-1] if job.examinations else None
    voids = {one.candidate: one.outcome for one in job.examinations}
    ended = [event for event in events if event.phase is not None and event.phase.is_over]
    return schema_jobs.JobStory(
        summary=summary_of(job, viewer, posted),
        request=_request(job, posted),
        fee=schema.MicroCredits(job.fee_held),
        rounds=len(job.examinations),
        candidate=None if current is None else address(current.candidate),
        committee_size=0 if current is None else current.size,
        bids=tuple(_bid(job, bid, viewer, voids) for bid in job.bids),
        verdicts=tuple(_verdict(job, one, seat) for one in job.examinations for seat in one.seats),
        events=tuple(events),
        reason_code=ended[-1].code if ended and not job.winner else "",
        reason_text=ended[-1].text if ended and not job.winner else "",
        activity=activity_of(job, viewer),
    )


def activity_of(job: Job, viewer: Viewer) -> schema.Activity | None:
    """Return what this node does for a job at the moment."""
    desk = viewer.desks.get(job.id)
    if desk is None or not desk.under_way:
        return None
    stage = get_stage(job, viewer.me, desk.mine())
    return schema.Activity(
        job=job_name(job.id),
        title=job.spec.title,
        kind=str(stage),
        step=desk.step or str(stage),
        since=schema.Millis(desk.since),
        trials=desk.models_taken,
        best_loss=None if desk.best is None else schema.NanoLoss(desk.best),
    )


def _local(job: Job, viewer: Viewer) -> str:
    desk = viewer.desks.get(job.id)
    if desk is None or job.phase.is_over:
        return ""
    if desk.image_refused:
        return f"image refused: {desk.image_refused}"
    stage = get_stage(job, viewer.me, desk.mine())
    if stage is Stage.IDLE and desk.why_not:
        return desk.why_not
    doing = desk.step or str(stage)
    is_held = desk.paused and desk.is_taking_a_place
    return f"{doing} (paused: {desk.paused})" if is_held else doing


def _bid(
    job: Job, bid: PlacedBid, viewer: Viewer, voids: Mapping[PublicKey, Outcome]
) -> schema_jobs.BidView:
    is_void = bid.standing in _VOID
    outcome = voids.get(bid.bidder)
    cause = str(outcome) if outcome is not None else "not_opened"
    return schema_jobs.BidView(
        bidder=address(bid.bidder),
        loss=schema.NanoLoss(bid.loss),
        time=schema.Millis(viewer.times.get(bid.height, Millis(0))),
        height=bid.height,
        rank=get_rank(job, bid.bidder),
        standing=_STANDINGS[bid.standing],
        bond=schema.MicroCredits(bid.bond),
        opened=bool(bid.opening),
        mine=bid.bidder == viewer.me,
        model=schema.Digest(bid.opening[0][0].hex()) if bid.opening else None,
        model_bytes=bid.opening[0][1] if bid.opening else None,
        void_code=cause if is_void else "",
        void_text=cause.replace("_", " ") if is_void else "",
    )


def _verdict(job: Job, examination: Examination, seat: Seat) -> schema_jobs.VerdictView:
    candidate = next(bid for bid in job.bids if bid.bidder == examination.candidate)
    verdict = seat.verdict[0] if seat.verdict else None
    losses = verdict.losses if verdict is not None else ()
    return schema_jobs.VerdictView(
        verifier=address(seat.member.key),
        candidate=address(examination.candidate),
        committed=bool(seat.commitment),
        revealed=verdict is not None,
        confirms=is_confirming(losses, candidate.loss, job.spec.tolerance) if losses else None,
        mean=schema.NanoLoss(compute_mean(losses)) if losses else None,
        fault="" if verdict is None else str(verdict.fault),
    )


def _request(job: Job, posted: Millis) -> schema_jobs.JobRequest:
    spec = job.spec
    return schema_jobs.JobRequest(
        title=spec.title,
        image=schema_jobs.ImageChoice(
            manifest=schema.Digest(spec.image.manifest.hex()),
            total_bytes=spec.image.total_bytes,
            references=spec.image.references,
            on_graph=spec.image.on_graph,
        ),
        bounty=schema.MicroCredits(job.bounty),
        expiry_seconds=max(1, (job.expiry - posted) // 1000),
        model_format=schema.ModelFormat(spec.model_format.value),
        contract=spec.contract,
        resources=schema.Resources(
            millicpus=spec.resources.millicpus,
            memory_bytes=spec.resources.memory_bytes,
            disk_bytes=spec.resources.disk_bytes,
            gpus=spec.resources.gpus,
        ),
        trial_seconds=spec.trial_seconds,
        evaluate_seconds=spec.evaluate_seconds,
        model_bytes_max=spec.model_bytes_max,
        tolerance=schema_jobs.Tolerance(
            absolute=schema.NanoLoss(spec.tolerance.absolute),
            relative_ppm=spec.tolerance.relative,
        ),
    )
