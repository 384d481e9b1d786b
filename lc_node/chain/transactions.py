"""What an account may ask of the chain: the bodies, and the signed envelope around them."""

from enum import StrEnum
from typing import Annotated, TypeAlias

import msgspec

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import digest
from lc_node.chain.types import (
    ByteCount,
    ChainId,
    Digest,
    Epoch,
    Height,
    JobId,
    Link,
    MicroCredits,
    Millis,
    ModelRoot,
    NanoLoss,
    Nonce,
    PartsPerMillion,
    PublicKey,
    Salt,
    Seconds,
    Signature,
    TransactionId,
)
from lc_node.chain.votes import Vote

TRANSACTION_BYTES_MAX = 64 * 1024
LOSSES_MAX = 64

Memo = Annotated[bytes, msgspec.Meta(max_length=64)]
Title = Annotated[str, msgspec.Meta(max_length=120)]
Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
LossVector = Annotated[tuple[NanoLoss, ...], msgspec.Meta(max_length=LOSSES_MAX)]


class ModelFormat(StrEnum):
    """How a model is written to a file; see docs/CONTRACT.md."""

    SKOPS = "skops"
    NPZ = "npz"
    SAFETENSORS = "safetensors"
    ONNX = "onnx"
    RAW = "raw"
    PICKLE = "pickle"

    @property
    def can_execute(self) -> bool:
        """Whether loading a hostile file of this format may run code: such jobs stay unverified."""
        return self is ModelFormat.PICKLE


class Fault(StrEnum):
    """Why a verifier has no losses to show."""

    NONE = "none"
    MODEL_UNAVAILABLE = "model_unavailable"
    IMAGE_UNAVAILABLE = "image_unavailable"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OVERSIZE = "oversize"
    BAD_OUTPUT = "bad_output"
    DECLINED = "declined"


class Tolerance(Record):
    """How far a re-evaluated loss may lie from an announced one: absolute + |loss| * relative."""

    absolute: NanoLoss
    relative: PartsPerMillion


class Resources(Record):
    """What one run of a job may use, or what a node offers."""

    millicpus: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    memory_bytes: ByteCount
    disk_bytes: ByteCount
    gpus: Annotated[int, msgspec.Meta(ge=0, le=64)]


class ImageReference(Record):
    """Which image, how large, and where it is found."""

    manifest: Digest
    total_bytes: ByteCount
    references: Annotated[tuple[Reference, ...], msgspec.Meta(max_length=4)]
    """Registry references; the graph itself carries the image as well if ``on_graph``."""
    on_graph: bool


class JobSpec(Record):
    """Everything that a job's poster decides."""

    title: Title
    image: ImageReference
    contract: Annotated[str, msgspec.Meta(max_length=16)]
    model_format: ModelFormat
    resources: Resources
    trial_seconds: Seconds
    evaluate_seconds: Seconds
    model_bytes_max: ByteCount
    bounty: MicroCredits
    expiry: Millis
    tolerance: Tolerance
    open_to_newcomers: bool
    hidden_root: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=1)]
    private: bool


class Transfer(Record, tag="transfer"):
    """Give credits to another account."""

    to: PublicKey
    amount: MicroCredits
    memo: Memo


class Bond(Record, tag="bond"):
    """Put credits at stake from the next epoch; may renew the beacon link and the offer."""

    amount: MicroCredits
    link: Annotated[tuple[Link, ...], msgspec.Meta(max_length=1)]
    resources: Annotated[tuple[Resources, ...], msgspec.Meta(max_length=1)]


class Unbond(Record, tag="unbond"):
    """Withdraw stake; it stays slashable until the unbonding time has passed."""

    amount: MicroCredits


class Ready(Record, tag="ready"):
    """Ask, in an epoch, to be a validator of the next one."""

    epoch: Epoch


class PostJob(Record, tag="post_job"):
    """Offer a bounty for the best model by an expiry."""

    spec: JobSpec


class TopUp(Record, tag="top_up"):
    """Raise an open job's bounty."""

    job: JobId
    amount: MicroCredits


class Extend(Record, tag="extend"):
    """Move the expiry of an open job without bids."""

    job: JobId
    expiry: Millis


class Cancel(Record, tag="cancel"):
    """Take back an open job without bids."""

    job: JobId


class Bid(Record, tag="bid"):
    """Announce a loss, bound to a model that nobody can see yet."""

    job: JobId
    loss: NanoLoss
    commitment: Digest


class Open(Record, tag="open"):
    """Reveal what a finalist's bid committed to."""

    job: JobId
    model_root: ModelRoot
    model_bytes: ByteCount
    salt: Salt


class VerdictCommit(Record, tag="verdict_commit"):
    """A committee member's hidden verdict on a candidate."""

    job: JobId
    candidate: PublicKey
    commitment: Digest


class VerdictReveal(Record, tag="verdict_reveal"):
    """A committee member's verdict, shown after all are committed."""

    job: JobId
    candidate: PublicKey
    losses: LossVector
    fault: Fault
    salt: Salt


class Evidence(Record, tag="evidence"):
    """Two votes that no honest validator signs both of."""

    first: Vote
    second: Vote


Body: TypeAlias = (
    Transfer
    | Bond
    | Unbond
    | Ready
    | PostJob
    | TopUp
    | Extend
    | Cancel
    | Bid
    | Open
    | VerdictCommit
    | VerdictReveal
    | Evidence
)


class Transaction(Record):
    """What a sender signs."""

    chain_id: ChainId
    sender: PublicKey
    nonce: Nonce
    valid_until: Height
    body: Body


class SignedTransaction(Record):
    """A transaction and its sender's signature over its id."""

    transaction: Transaction
    signature: Signature


def transaction_id(transaction: Transaction) -> TransactionId:
    """Return the digest that names a transaction and that its sender signs."""
    return TransactionId(digest("lc/tx/1", encode(transaction)))


TRANSACTION_DECODER = Decoder(
    SignedTransaction, what="transaction", bytes_max=TRANSACTION_BYTES_MAX
)
