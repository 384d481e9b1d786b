"""Which jobs a node takes: its owner's terms, and the named reason why a job does not meet them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lc_node.chain.job import Job, Phase
from lc_node.chain.job_limits import CONTRACTS
from lc_node.chain.transactions import JobSpec, ModelFormat, Resources
from lc_node.chain.types import ByteCount, MicroCredits, Millis, MillisSpan, PublicKey, Seconds
from lc_node.worker.hours import Hours, Minute
from lc_node.worker.limits import memory_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPolicy:
    """An owner's terms."""

    bounty_min: MicroCredits
    time_left_min: MillisSpan
    """A job that expires sooner is not worth starting."""
    trial_seconds_max: Seconds
    image_bytes_max: ByteCount
    jobs_at_once_max: int
    offer: Resources
    """What the owner gives to all trainings together; the gpus may be 0.

    Evaluations, which are duties and short, share as much memory once more (``runtime.memory_share``).
    """
    allow: frozenset[PublicKey] = frozenset()
    """Submitters whose jobs are taken; empty: everybody's."""
    deny: frozenset[PublicKey] = frozenset()
    """Submitters whose jobs are never taken."""
    formats: frozenset[ModelFormat] = frozenset(ModelFormat)
    hours: tuple[Hours, ...] = ()
    """When work begins here; empty: at any time."""
    pauses_on_battery: bool = False
    others_percent_max: int = 100
    """Above this share of all processors, used by others than this node, nothing new begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How the machine fares, for which its owner may want it alone."""

    minute: Minute
    on_battery: bool
    others_percent: int
    """The share of all processors that is used, but for this node's own work; 0 if it is not known yet."""
    has_place: bool = True
    """Whether there is anywhere to run jobs: a cluster may be lost."""
    most: Resources | None = None
    """The most that one run can get of the place; None: as much as is offered."""


class Reason(StrEnum):
    """Why a job is not taken, in words for the owner."""

    NOT_OPEN = "bidding has ended"
    OWN_JOB = "this node posted it"
    CONTRACT = "its contract is unknown here; a newer version may know it"
    DENIED = "its submitter is on the deny-list"
    NOT_ALLOWED = "its submitter is not on the allow-list"
    BOUNTY = "its bounty is below bounty_min"
    TIME_LEFT = "it expires sooner than time_left_min"
    TRIAL_SECONDS = "its trials are longer than trial_seconds_max"
    IMAGE_BYTES = "its image is larger than image_bytes_max"
    REGISTRY = "its image is only in registries that are not among [images] registries"
    FORMAT = "its model format is not among the formats taken"
    GPUS = "it wants more GPUs than are offered"
    CPUS = "it wants more processors than are offered"
    MEMORY = "it wants more memory than is offered"
    DISK = "it wants more disk than is offered"
    BUSY = "as many jobs as jobs_at_once_max are running"
    FULL = "the jobs that run here leave less of the machine than it wants"
    HOURS = "it is not an hour in which jobs are taken"
    BATTERY = "the machine runs on its battery"
    LOAD = "others use more of the processors than others_percent_max"
    PLACE = "there is nowhere to run jobs now; `lc-node status` says why"
    NO_GPUS = "it wants more GPUs than a run can be given here; `lc-node status` says why"
    TOO_LARGE = "it wants more than any worker of the cluster has"


def reason_to_decline(  # noqa: PLR0913  # all that a choice rests on
    policy: JobPolicy,
    job: Job,
    *,
    me: PublicKey,
    now: Millis,
    running: Sequence[JobSpec],
    in_reach: bool = True,
    most: Resources | None = None,
) -> Reason | None:
    """Return the first term that a job does not meet, None if the node wants it.

    ``running`` are the other jobs being trained here, ``in_reach`` says whether the job's image is where the node
    looks, ``most`` is what one run can get, if that is known. What the owner can change comes last.
    """
    unmet = (
        *_unmet_by_nature(policy, job, me),
        *_unmet_terms(policy, job, now),
        (not in_reach, Reason.REGISTRY),
        *_unmet_resources(policy.offer, job),
        *_unmet_by_place(most, job),
        (len(running) >= policy.jobs_at_once_max, Reason.BUSY),
        (not _fits(policy.offer, (*running, job.spec)), Reason.FULL),
    )
    return next((reason for is_unmet, reason in unmet if is_unmet), None)


def reason_to_pause(policy: JobPolicy, circumstances: Circumstances) -> Reason | None:
    """Return why no training and no trial is to begin now; what has begun goes on, as do duties."""
    now, hours = circumstances, policy.hours
    if not now.has_place:
        return Reason.PLACE
    if hours and not any(now.minute in span for span in hours):
        return Reason.HOURS
    if policy.pauses_on_battery and now.on_battery:
        return Reason.BATTERY
    return Reason.LOAD if now.others_percent > policy.others_percent_max else None


def _unmet_by_nature(
    policy: JobPolicy, job: Job, me: PublicKey
) -> tuple[tuple[bool, Reason], ...]:
    allowed = not policy.allow or job.submitter in policy.allow
    return (
        (job.phase is not Phase.OPEN, Reason.NOT_OPEN),
        (job.submitter == me, Reason.OWN_JOB),
        (job.spec.contract not in CONTRACTS, Reason.CONTRACT),
        (job.submitter in policy.deny, Reason.DENIED),
        (not allowed, Reason.NOT_ALLOWED),
    )


def _unmet_terms(policy: JobPolicy, job: Job, now: Millis) -> tuple[tuple[bool, Reason], ...]:
    spec = job.spec
    return (
        (job.bounty < policy.bounty_min, Reason.BOUNTY),
        (job.expiry < now + policy.time_left_min, Reason.TIME_LEFT),
        (spec.trial_seconds > policy.trial_seconds_max, Reason.TRIAL_SECONDS),
        (spec.image.total_bytes > policy.image_bytes_max, Reason.IMAGE_BYTES),
        (spec.model_format not in policy.formats, Reason.FORMAT),
    )


def _unmet_resources(offer: Resources, job: Job) -> tuple[tuple[bool, Reason], ...]:
    wanted = job.spec.resources
    return (
        (wanted.gpus > offer.gpus, Reason.GPUS),
        (wanted.millicpus > offer.millicpus, Reason.CPUS),
        (memory_limit(job.spec) > offer.memory_bytes, Reason.MEMORY),
        (wanted.disk_bytes > offer.disk_bytes, Reason.DISK),
    )


def _unmet_by_place(most: Resources | None, job: Job) -> tuple[tuple[bool, Reason], ...]:
    if most is None:
        return ()
    wanted = job.spec.resources
    is_too_large = wanted.millicpus > most.millicpus or memory_limit(job.spec) > most.memory_bytes
    return ((wanted.gpus > most.gpus, Reason.NO_GPUS), (is_too_large, Reason.TOO_LARGE))


def _fits(offer: Resources, specs: Sequence[JobSpec]) -> bool:
    """Return whether what these jobs want is offered, all together."""
    wanted = [spec.resources for spec in specs]
    return (
        sum(one.gpus for one in wanted) <= offer.gpus
        and sum(one.millicpus for one in wanted) <= offer.millicpus
        and sum(memory_limit(spec) for spec in specs) <= offer.memory_bytes
        and sum(one.disk_bytes for one in wanted) <= offer.disk_bytes
    )
