"""A job as the chain keeps it, from its posting to its settlement."""

from enum import IntEnum, StrEnum

from lc_node.chain.codec import Record
from lc_node.chain.records import Member
from lc_node.chain.transactions import Fault, JobSpec, LossVector
from lc_node.chain.types import (
    ByteCount,
    Digest,
    Height,
    JobId,
    MicroCredits,
    Millis,
    ModelRoot,
    NanoLoss,
    PublicKey,
)


class Phase(IntEnum):
    """Where a job stands; the numbers follow its life."""

    OPEN = 1
    OPENING = 2
    COMMIT = 3
    REVEAL = 4
    APPEAL = 5
    SETTLED = 6
    REFUNDED = 7
    CANCELLED = 8

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to the job but being forgotten."""
        return self >= Phase.SETTLED


class Label(StrEnum):
    """How much a settled job's loss was checked by others."""

    NONE = "none"
    UNVERIFIED = "unverified"
    WEAK = "weak"
    STRONG = "strong"


class Standing(IntEnum):
    """What became of a bid; only a FINALIST, OPENED or VOID bid can have a bond locked."""

    RESERVE = 1
    """Ranked without a bond."""
    FINALIST = 2
    """Holds a place, and a bond, and will have to open."""
    INVITED = 3
    """A reserve in whose round Open also locks the bond."""
    OPENED = 4
    """Its model is named; it waits for its turn as the candidate."""
    NOT_OPENED = 5
    VOID = 6
    """Examined and not confirmed."""
    CONFIRMED = 7


class Outcome(StrEnum):
    """What an examination found."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    MODEL_UNAVAILABLE = "model_unavailable"
    IMAGE_UNAVAILABLE = "image_unavailable"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OVERSIZE = "oversize"
    BAD_OUTPUT = "bad_output"
    UNDECIDED = "undecided"


class PlacedBid(Record):
    """A bid that holds a place in the ranking of its job."""

    bidder: PublicKey
    loss: NanoLoss
    commitment: Digest
    height: Height
    lot: Digest
    """Breaks ties between equal losses of one block."""
    bond: MicroCredits
    standing: Standing
    opening: tuple[tuple[ModelRoot, ByteCount], ...]
    """The model's root and size once opened; empty before."""


class Verdict(Record):
    """What one member found: losses, or the fault that kept it from them."""

    losses: LossVector
    fault: Fault


class Seat(Record):
    """A place on a committee; commitment and verdict are empty until given."""

    member: Member
    size: int
    """The committee's size when this seat was drawn: its verdict is committed under it."""
    commitment: tuple[Digest, ...]
    verdict: tuple[Verdict, ...]


class Examination(Record):
    """The committee's work on one candidate; the job keeps each until it settles."""

    candidate: PublicKey
    pool: tuple[Member, ...]
    """Who may be drawn, weighed by epoch bond: frozen on entering COMMIT, in key order.

    Emptied once the job is over: the receipts keep what matters.
    """
    strong: bool
    """Whether the pool was independent enough of the job's finalists."""
    size: int
    """The current size: 3, 7, 15 or, last, the number of the whole pool."""
    seats: tuple[Seat, ...]
    """In the order drawn."""
    outcome: Outcome
    gross: bool
    """Refuted by far, by enough members: a ban once another bid is confirmed."""
    discordant: bool
    """Undecided because losses did not match: the evaluation answers at random."""


class Job(Record):
    """A job; ``due`` is when its phase ends by itself, or when it is forgotten once it is over."""

    id: JobId
    spec: JobSpec
    submitter: PublicKey
    phase: Phase
    due: Millis
    expiry: Millis
    """When bidding ends: the spec's, or what Extend made of it."""
    bounty: MicroCredits
    """The spec's and all that was added: what the winner gets."""
    escrow: MicroCredits
    """The bounty while the job holds it; 0 once paid or returned."""
    fee_held: MicroCredits
    bids: tuple[PlacedBid, ...]
    """In rank order: the leader first."""
    rounds: int
    """Rounds of reserves opened so far."""
    examinations: tuple[Examination, ...]
    """One a candidate, in order; the last is the current one."""
    suspended: tuple[PublicKey, ...]
    """Refuted bidders, suspended until the job is over; in key order."""
    winner: tuple[PublicKey, ...]
    """The confirmed bidder; empty before, or when there is none."""
    label: Label


def get_held_credits(job: Job) -> MicroCredits:
    """Return all credits that the job holds: escrow, fee and bonds of its bids."""
    return MicroCredits(job.escrow + job.fee_held + sum(bid.bond for bid in job.bids))
