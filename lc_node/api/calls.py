"""What one may ask a node: each call is a record that knows what its answer is.

A call's tag is the name of the method of ``api.service.Service`` that answers it.
"""

from typing import (
    Annotated,
    Any,
    Final,
    Generic,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    get_args,
)

import msgspec

from lc_node.api.schema import (
    CHUNK_BYTES_MAX,
    Account,
    Address,
    BlobOffset,
    Digest,
    EventBatch,
    JobId,
    Machine,
    MicroCredits,
    Naming,
    NodeVersion,
    Peer,
    Phase,
    Place,
    Policy,
    Receipt,
    Status,
    Wallet,
)
from lc_node.api.schema_images import ImageName, ImageView, RegistryReference, RemovedImage
from lc_node.api.schema_jobs import (
    CheckReport,
    FetchedModel,
    JobRequest,
    JobStory,
    JobSummary,
    Prediction,
    Price,
    Submitted,
)

A = TypeVar("A")
_Unsigned = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Call(msgspec.Struct, Generic[A], frozen=True, kw_only=True, tag_field="call"):
    """Base of every call; its parameter is the kind of its answer."""

    @property
    def timeout_seconds(self) -> float:
        """How long a client waits at most, while the node says that it works on it."""
        return 30.0


class LongCall(Call[A], frozen=True, kw_only=True):
    """A call that waits for the chain or moves large files."""

    @property
    def timeout_seconds(self) -> float:
        """How long a client waits at most, while the node says that it works on it."""
        return 3600.0


class Hello(Call[NodeVersion], tag="hello"):
    """Who are you?"""


class GetStatus(Call[Status], tag="status"):
    """The node at a glance."""


class GetPeers(Call[tuple[Peer, ...]], tag="peers"):
    """The connected nodes."""


class GetWallet(Call[Wallet], tag="wallet"):
    """The own credits and their latest changes."""

    changes_max: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100


class GetAccount(Call[Account], tag="account"):
    """An account as this node's chain has it, anybody's; refused with ``BadAddress``."""

    address: Address


class GetMachine(Call[Machine], tag="machine"):
    """The load of the node's machine."""


class GetJobs(Call[tuple[JobSummary, ...]], tag="jobs"):
    """The jobs of the graph, newest first."""

    mine: bool = False
    phases: tuple[Phase, ...] = ()
    """Only these; empty means all."""
    prefix: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{0,64}$")] = ""
    """Only jobs whose id begins so."""
    jobs_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class GetJob(Call[JobStory], tag="job"):
    """One job's whole story; refused with ``UnknownJob``."""

    job: JobId


class EventsSince(Call[EventBatch], tag="events_since"):
    """The events after a place, so that a reader can catch up after a gap; answered by the door."""

    place: Place
    job: JobId | None = None
    """Only this job's."""


class GetPrice(Call[Price], tag="price"):
    """What posting this job would cost now."""

    request: JobRequest


class Check(Call[CheckReport], tag="check"):
    """Train in the sandbox until the first model, evaluate it twice, compare; posts nothing."""

    request: JobRequest
    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 30
    """How long to wait for the first model."""

    @property
    def timeout_seconds(self) -> float:
        """How long a client waits at most."""
        return (
            self.seconds + 3600.0
        )  # an image may have to be unpacked, evaluations take their time


class Submit(LongCall[Submitted], tag="submit"):
    """Post a job; answered when it is final, refused with the rule's name otherwise."""

    request: JobRequest


class TopUp(LongCall[Receipt], tag="top_up"):
    """Raise the bounty of an own open job."""

    job: JobId
    amount: MicroCredits


class Extend(LongCall[Receipt], tag="extend"):
    """Move the expiry of an own open job without bids."""

    job: JobId
    expiry_seconds: Annotated[int, msgspec.Meta(ge=1, le=10**9)]
    """From now."""


class Cancel(LongCall[Receipt], tag="cancel"):
    """Take back an own open job without bids."""

    job: JobId


class StopRun(Call[None], tag="stop_run"):
    """End what this node computes for a job, and take it no more."""

    job: JobId


class FetchModel(LongCall[FetchedModel], tag="fetch_model"):
    """Bring the winner's model of a settled job to the node's disk, verified."""

    job: JobId


class Predict(LongCall[Prediction], tag="predict"):
    """Let the winner's model of a settled job predict, in a sandbox of this node.

    A run's own failure is an answer. Refused with ``NoWinner``, ``CannotPredict`` (the contract knows no
    predictions), ``UnknownBlob`` or ``InputsTooLarge``.
    """

    job: JobId
    inputs: Digest
    """A blob that was put into the node, at most ``PREDICT_INPUTS_BYTES_MAX``; it is removed after the run."""


class GetPolicy(Call[Policy], tag="policy"):
    """Which jobs this node takes."""


class SetPolicy(Call[Policy], tag="set_policy"):
    """Replace the policy; kept over restarts; answered with what now holds."""

    policy: Policy


class Transfer(LongCall[Receipt], tag="transfer"):
    """Give credits to another account."""

    to: Address
    amount: MicroCredits
    memo: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Bond(LongCall[Receipt], tag="bond"):
    """Put credits at stake from the next epoch."""

    amount: MicroCredits


class Unbond(LongCall[Receipt], tag="unbond"):
    """Withdraw stake."""

    amount: MicroCredits


class MissingBlobs(Call[tuple[Digest, ...]], tag="missing_blobs"):
    """Which of these the node lacks, in the order asked."""

    digests: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=10_000)]


class BeginBlob(LongCall[BlobOffset], tag="begin_blob"):
    """Start or resume putting a blob; the answer says where to go on."""

    digest: Digest
    size: _Unsigned
    naming: Naming


class PutChunk(Call[BlobOffset], tag="put_chunk"):
    """The next bytes of a blob that was begun."""

    digest: Digest
    offset: _Unsigned
    data: Annotated[bytes, msgspec.Meta(max_length=CHUNK_BYTES_MAX)]


class EndBlob(LongCall[BlobOffset], tag="end_blob"):
    """The blob is whole: verify and publish it; refused with ``BlobCorrupt`` if it is not."""

    digest: Digest


class ReadBlob(Call[bytes], tag="read_blob"):
    """A piece of a blob that the node holds; refused with ``UnknownBlob``."""

    digest: Digest
    offset: _Unsigned
    length: Annotated[int, msgspec.Meta(ge=1, le=CHUNK_BYTES_MAX)]


class GetImages(Call[tuple[ImageView, ...]], tag="images"):
    """The images that the node keeps for its owner, and those of jobs."""


class KeepImage(Call[ImageView], tag="keep_image"):
    """Keep an image, whose blobs were put into the node, until it is removed; under a name, unless that is empty."""

    image: Digest
    name: ImageName = ""


class PullImage(LongCall[ImageView], tag="pull_image"):
    """Bring an image here from a registry; refused with the registry's fault by name."""

    reference: RegistryReference
    keep: bool = True
    """Whether to keep it under its reference until it is removed; else it goes when room is needed."""


class PushImage(LongCall[ImageView], tag="push_image"):
    """Bring an image of this node to a registry; refused with the registry's fault by name."""

    image: Digest
    reference: RegistryReference


class RemoveImage(LongCall[RemovedImage], tag="remove_image"):
    """Forget an image and its names, and delete of it what nothing else needs; refused with ``ImageInUse``."""

    image: Digest


AnyCall: TypeAlias = (
    Hello
    | GetStatus
    | GetPeers
    | GetWallet
    | GetAccount
    | GetMachine
    | GetJobs
    | GetJob
    | EventsSince
    | GetPrice
    | Check
    | Submit
    | TopUp
    | Extend
    | Cancel
    | StopRun
    | FetchModel
    | Predict
    | GetPolicy
    | SetPolicy
    | Transfer
    | Bond
    | Unbond
    | MissingBlobs
    | BeginBlob
    | PutChunk
    | EndBlob
    | ReadBlob
    | GetImages
    | KeepImage
    | PullImage
    | PushImage
    | RemoveImage
)

CALLS: Final[tuple[type[AnyCall], ...]] = get_args(AnyCall)


def answer_kind(call: type[Call[A]]) -> type[A]:
    """Return what kind of value answers a kind of call."""
    base = call.__orig_bases__[0]  # type: ignore[attr-defined]  # typing sets it on every generic's subclass
    kind: type[A] = get_args(base)[0]
    return kind


def method_name(call: Call[Any]) -> str:
    """Return the name of the service's method that answers a call: its tag."""
    return str(type(call).__struct_config__.tag)
