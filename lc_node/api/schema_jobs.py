"""What a node tells of jobs: requests, prices, checks, bids, verdicts and results."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from lc_node.api.schema import (
    CHUNK_BYTES_MAX,
    Activity,
    Address,
    Digest,
    Event,
    JobId,
    MicroCredits,
    Millis,
    ModelFormat,
    NanoLoss,
    Part,
    Phase,
    Resources,
)

_Unsigned = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


_Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
REFERENCES_MAX: Final = 4
"""Registries that a job may name for its image."""


class Tolerance(Part):
    """How far a re-evaluated loss may lie from an announced one."""

    absolute: NanoLoss = NanoLoss(1_000)
    relative_ppm: _Unsigned = 100


class ImageChoice(Part):
    """Which image a job runs, and where it is found."""

    manifest: Digest
    total_bytes: _Unsigned
    references: Annotated[tuple[_Reference, ...], msgspec.Meta(max_length=REFERENCES_MAX)] = ()
    """Registry references."""
    on_graph: bool = True
    """Whether the nodes themselves carry it; its blobs are then put into the own node first."""


class JobRequest(Part):
    """Everything that a job's poster decides."""

    title: Annotated[str, msgspec.Meta(max_length=120)]
    image: ImageChoice
    bounty: MicroCredits
    expiry_seconds: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    """From now; the chain sees a moment."""
    model_format: ModelFormat
    contract: Annotated[str, msgspec.Meta(max_length=16)] = "lc/1"
    """``lc/1``, ``stdout/1`` or ``stdout/1:negate`` (docs/CONTRACT.md)."""
    resources: Resources = Resources()
    trial_seconds: _Unsigned = 600
    evaluate_seconds: _Unsigned = 60
    model_bytes_max: _Unsigned = 100_000_000
    tolerance: Tolerance = Tolerance()
    open_to_newcomers: bool = False
    hidden_root: Digest | None = None
    private: bool = False


class Price(Part):
    """What posting a job would cost."""

    bounty: MicroCredits
    fee: MicroCredits
    balance: MicroCredits
    balance_after: int
    """Micro-credits; negative when the balance does not suffice."""
    note: str = ""
    """What to know before posting: that the label will be ``unverified``, and why."""


class Submitted(Part):
    """A job that the chain has accepted, finally."""

    job: JobId
    height: int
    time: Millis
    expiry: Millis
    price: Price


class CheckProblem(StrEnum):
    """Why a check found a job unfit."""

    NONE = "none"
    NO_REPORT = "no_report"
    """No model came within the time: perhaps only slow."""
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    BAD_OUTPUT = "bad_output"
    OVERSIZE = "oversize"
    NOT_REPEATABLE = "not_repeatable"
    """Two evaluations of one model differ by more than the tolerance."""
    IMAGE_REFUSED = "image_refused"
    NO_SANDBOX = "no_sandbox"


class CheckReport(Part):
    """What running a job once on the own node has shown."""

    problem: CheckProblem
    text: str
    """One sentence for people, with the remedy."""
    log_tail: str
    loss: NanoLoss | None = None
    losses: int = 0
    """Length of the loss vector; fewer than 8 cap the label at weak."""
    model_bytes: int = 0
    first_model_ms: int = 0
    evaluate_ms: int = 0
    evaluate_seconds: int = 0
    """The limit to post with: five times the measured time, at least 10 s."""
    takes_seconds: float = 0.0
    """How long the whole check took."""


class Prediction(Part):
    """What a winner's model made of some data, in the sandbox."""

    problem: CheckProblem
    text: str = ""
    """One sentence for people; empty if there is no problem."""
    log_tail: str = ""
    data: Annotated[bytes, msgspec.Meta(max_length=CHUNK_BYTES_MAX)] = b""
    """What the run left, as it left it: a stranger's bytes."""
    takes_seconds: float = 0.0


class BidView(Part):
    """One bid of a job."""

    bidder: Address
    loss: NanoLoss
    time: Millis
    height: int
    rank: int
    """From 1."""
    standing: str
    """``finalist``, ``reserve`` or ``void``."""
    bond: MicroCredits
    opened: bool
    mine: bool
    model: Digest | None = None
    model_bytes: int | None = None
    void_code: str = ""
    void_text: str = ""


class VerdictView(Part):
    """What a committee member found, or that it has not spoken yet."""

    verifier: Address
    candidate: Address
    committed: bool
    revealed: bool
    confirms: bool | None = None
    mean: NanoLoss | None = None
    fault: str = ""


class JobSummary(Part):
    """A line in a table of jobs."""

    job: JobId
    title: str
    submitter: Address
    mine: bool
    phase: Phase
    bounty: MicroCredits
    posted: Millis
    expiry: Millis
    due: Millis
    bids: int
    best_loss: NanoLoss | None
    leader: Address | None
    winner: Address | None
    label: str
    """``strong``, ``weak`` or ``unverified`` once settled; empty before."""
    model_format: ModelFormat
    local: str = ""
    """What this node does with it: ``training``, ``pulling 42 %``, ``policy: bounty too low`` ..."""


class JobStory(Part):
    """Everything that is known of one job."""

    summary: JobSummary
    request: JobRequest
    fee: MicroCredits
    rounds: int
    """How many candidates have been judged."""
    candidate: Address | None
    committee_size: int
    bids: tuple[BidView, ...]
    verdicts: tuple[VerdictView, ...]
    events: tuple[Event, ...]
    reason_code: str = ""
    """Why it was refunded, or why its label is not strong."""
    reason_text: str = ""
    activity: Activity | None = None


class FetchedModel(Part):
    """A winner's model, verified and on the node's disk."""

    path: str
    root: Digest
    size: int
    model_format: ModelFormat
    bidder: Address
    label: str
    posted_by_me: bool
    """Otherwise its code is a stranger's and belongs in a sandbox."""
