"""What this node must do now for one job, from what the chain says and what it has at home."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from lc_node.chain.duties import Duty, get_duty
from lc_node.chain.job import Examination, Job, Phase, PlacedBid, Seat, Verdict
from lc_node.chain.transactions import Fault
from lc_node.chain.types import (
    ByteCount,
    Digest,
    Millis,
    MillisSpan,
    ModelRoot,
    NanoLoss,
    PublicKey,
    Salt,
)

COMMIT_RESERVE_MS: Final = MillisSpan(3_000)
"""A verdict is sent at least this long before its window ends, even if it has to be a fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A model of ours and the loss that ``evaluate``, in a fresh sandbox, gave for it."""

    loss: NanoLoss
    model_root: ModelRoot
    model_bytes: ByteCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What one of our commitments hides."""

    solution: Solution
    salt: Salt


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchImage:
    """Get the job's image and unpack it."""

    manifest: Digest
    total_bytes: ByteCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Start training, until the expiry."""

    until: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTraining:
    """End the training that is under way: it cannot win any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceBid:
    """Send a Bid for a solution, under a fresh salt."""

    solution: Solution


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBid:
    """Send the Open that our bid committed to."""

    opening: Opening


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchModel:
    """Get the candidate's model."""

    candidate: PublicKey
    model_root: ModelRoot
    model_bytes: ByteCount


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluate:
    """Run the evaluation on the candidate's model."""

    candidate: PublicKey
    model_root: ModelRoot


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitVerdict:
    """Send a VerdictCommit, under a fresh salt; verdict and salt are kept for the reveal."""

    candidate: PublicKey
    size: int
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RevealVerdict:
    """Send the VerdictReveal of what we committed to."""

    candidate: PublicKey
    verdict: Verdict


Action: TypeAlias = (
    FetchImage
    | Train
    | StopTraining
    | AnnounceBid
    | OpenBid
    | FetchModel
    | Evaluate
    | CommitVerdict
    | RevealVerdict
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """What this node has of one job; the driver keeps it up to date."""

    wanted: bool
    """Whether the policy took the job for training."""
    image_ready: bool = False
    image_refused: bool = False
    """Fetching failed for good, or the image is malformed."""
    trained: bool = False
    """A training has ended by itself; it is not started twice."""
    solutions: tuple[Solution, ...] = ()
    openings: Mapping[Digest, Opening] = field(default_factory=dict)
    """By commitment: all that we announced."""
    models: frozenset[ModelRoot] = frozenset()
    """Models of others that are here complete."""
    verdicts: Mapping[PublicKey, Verdict] = field(default_factory=dict)
    """By candidate: what we found."""
    prefetch_at: Millis | None = None
    """When to get the image because a committee may draw us; None: it will not, or that was done."""
    under_way: frozenset[Action] = frozenset()
    """Actions begun and not yet seen on the chain; an action that failed is taken out to be tried again."""


class Stage(StrEnum):
    """Where this node stands with a job, for its owner's eyes."""

    IDLE = "idle"
    FETCHING_IMAGE = "fetching image"
    TRAINING = "training"
    ANNOUNCING = "announcing"
    WAITING = "waiting"
    OPENING = "opening"
    FETCHING_MODEL = "fetching model"
    EVALUATING = "evaluating"
    COMMITTING = "committing"
    COMMITTED = "committed"
    REVEALING = "revealing"
    REVEALED = "revealed"
    DONE = "done"


def next_actions(job: Job, me: PublicKey, mine: Mine, now: Millis) -> tuple[Action, ...]:
    """Return what is to be begun now, duties before training; empty if nothing is.

    What ``mine.under_way`` names is not returned again. Verdicts that carry a fault for lack of time are
    made here: before the window of COMMIT ends, something must be said.
    """
    wished = (*_stop(job, mine), *_PHASES[job.phase](job, me, mine, now))
    return tuple(action for action in wished if action not in mine.under_way)


def get_own_bid(job: Job, me: PublicKey) -> PlacedBid | None:
    """Return this node's bid in the ranking, None if it has none."""
    return next((bid for bid in job.bids if bid.bidder == me), None)


def get_bar(job: Job, me: PublicKey, places_max: int) -> NanoLoss | None:
    """Return the loss that a new bid of ours must be under to change anything; None: any bid is welcome.

    That is our own bid's loss, or, when all ``places_max`` places are held, the last one's. The leader's
    loss is no bar: bids behind it are welcome, or a fake leader could stop the race.
    """
    own = get_own_bid(job, me)
    if own is not None:
        return own.loss
    return job.bids[-1].loss if len(job.bids) >= places_max else None


def get_stage(job: Job, me: PublicKey, mine: Mine) -> Stage:
    """Return where this node stands with the job."""
    for kind, stage in _UNDER_WAY:
        if any(isinstance(action, kind) for action in mine.under_way):
            return stage
    if job.phase.is_over:
        return Stage.DONE
    seat = _own_seat(job, me)
    if seat is not None and seat.verdict:
        return Stage.REVEALED
    if seat is not None and seat.commitment:
        return Stage.COMMITTED
    return Stage.IDLE if get_own_bid(job, me) is None else Stage.WAITING


_UNDER_WAY: Final = (
    (RevealVerdict, Stage.REVEALING),
    (CommitVerdict, Stage.COMMITTING),
    (Evaluate, Stage.EVALUATING),
    (FetchModel, Stage.FETCHING_MODEL),
    (OpenBid, Stage.OPENING),
    (AnnounceBid, Stage.ANNOUNCING),
    (Train, Stage.TRAINING),
    (FetchImage, Stage.FETCHING_IMAGE),
)


def _stop(job: Job, mine: Mine) -> Iterator[Action]:
    if job.phase is not Phase.OPEN and any(isinstance(a, Train) for a in mine.under_way):
        yield StopTraining()


def _when_open(job: Job, me: PublicKey, mine: Mine, now: Millis) -> Iterator[Action]:
    # The submitter may not bid, and nothing can be announced after the expiry.
    if me == job.submitter or now >= job.expiry:
        return
    own = get_own_bid(job, me)
    best = min(mine.solutions, key=lambda one: (one.loss, one.model_root), default=None)
    if best is not None and (own is None or best.loss < own.loss) and not _announcing(mine, best):
        yield AnnounceBid(solution=best)
    if mine.wanted and not mine.trained:
        yield from _towards_training(job, mine)
    else:
        yield from _prefetch(job, mine, now)


def _towards_training(job: Job, mine: Mine) -> Iterator[Action]:
    if not mine.image_ready:
        yield from _get_image(job, mine)
    elif not any(isinstance(action, Train) for action in mine.under_way):
        # One at a time: a job that was extended goes on once the training under way has ended.
        yield Train(until=job.expiry)


def _prefetch(job: Job, mine: Mine, now: Millis) -> Iterator[Action]:
    """Get the image before a committee is drawn: its window is short, and starts with the draw."""
    if mine.prefetch_at is not None and now >= mine.prefetch_at and not mine.image_ready:
        yield from _get_image(job, mine)


def _announcing(mine: Mine, best: Solution) -> bool:
    """Whether a bid at least as good is on its way: the chain takes only strictly better ones."""
    return any(
        isinstance(action, AnnounceBid) and action.solution.loss <= best.loss
        for action in mine.under_way
    )


def _when_opening(job: Job, me: PublicKey, mine: Mine, now: Millis) -> Iterator[Action]:
    yield from _prefetch(job, mine, now)
    own = get_own_bid(job, me)
    if own is None or get_duty(job, me) is not Duty.OPEN:
        return
    if own.commitment in mine.openings:
        yield OpenBid(opening=mine.openings[own.commitment])


def _when_commit(job: Job, me: PublicKey, mine: Mine, now: Millis) -> Iterator[Action]:
    seat = _own_seat(job, me)
    if seat is None or get_duty(job, me) is not Duty.COMMIT:
        return
    examination = job.examinations[-1]
    verdict = mine.verdicts.get(examination.candidate) or _verdict_for_lack(job, mine, now)
    if verdict is not None:
        if not _committing(mine, examination.candidate):
            yield CommitVerdict(candidate=examination.candidate, size=seat.size, verdict=verdict)
        return
    if not mine.image_ready:
        yield from _get_image(job, mine)
    yield from _towards_verdict(job, examination, mine)


def _committing(mine: Mine, candidate: PublicKey) -> bool:
    return any(
        isinstance(action, CommitVerdict) and action.candidate == candidate
        for action in mine.under_way
    )


def _towards_verdict(job: Job, examination: Examination, mine: Mine) -> Iterator[Action]:
    candidate, (root, size) = examination.candidate, _opened(job, examination)
    if root not in mine.models:
        yield FetchModel(candidate=candidate, model_root=root, model_bytes=size)
    elif mine.image_ready:
        yield Evaluate(candidate=candidate, model_root=root)


def _verdict_for_lack(job: Job, mine: Mine, now: Millis) -> Verdict | None:
    """Return the fault to report when the window is about to end without losses."""
    if mine.image_refused:
        return Verdict(losses=(), fault=Fault.IMAGE_UNAVAILABLE)
    if now + COMMIT_RESERVE_MS < job.due:
        return None
    if not mine.image_ready:
        return Verdict(losses=(), fault=Fault.IMAGE_UNAVAILABLE)
    root, _ = _opened(job, job.examinations[-1])
    # With both at hand it is this machine that was too busy: no word against the candidate.
    fault = Fault.DECLINED if root in mine.models else Fault.MODEL_UNAVAILABLE
    return Verdict(losses=(), fault=fault)


def _when_reveal(job: Job, me: PublicKey, mine: Mine, _now: Millis) -> Iterator[Action]:
    if get_duty(job, me) is not Duty.REVEAL:
        return
    candidate = job.examinations[-1].candidate
    if candidate in mine.verdicts:
        yield RevealVerdict(candidate=candidate, verdict=mine.verdicts[candidate])


def _when_nothing(_job: Job, _me: PublicKey, _mine: Mine, _now: Millis) -> Iterator[Action]:
    return iter(())


def _own_seat(job: Job, me: PublicKey) -> Seat | None:
    if not job.examinations:
        return None
    return next((seat for seat in job.examinations[-1].seats if seat.member.key == me), None)


def _opened(job: Job, examination: Examination) -> tuple[ModelRoot, ByteCount]:
    bid = next(bid for bid in job.bids if bid.bidder == examination.candidate)
    assert bid.opening, "a candidate has opened its bid"
    return bid.opening[0]


def _get_image(job: Job, mine: Mine) -> Iterator[Action]:
    if not mine.image_refused:
        image = job.spec.image
        yield FetchImage(manifest=image.manifest, total_bytes=image.total_bytes)


_PHASES: Final = {
    Phase.OPEN: _when_open,
    Phase.OPENING: _when_opening,
    Phase.COMMIT: _when_commit,
    Phase.REVEAL: _when_reveal,
    Phase.APPEAL: _when_nothing,
    Phase.SETTLED: _when_nothing,
    Phase.REFUNDED: _when_nothing,
    Phase.CANCELLED: _when_nothing,
}
