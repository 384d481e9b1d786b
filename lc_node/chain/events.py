"""What the market tells of a job: the receipts in which users read what was earned, and why."""

from enum import StrEnum
from typing import TypeAlias

from lc_node.chain.codec import Decoder, Record
from lc_node.chain.job import Label, Outcome, Phase
from lc_node.chain.records import ValidatorSet
from lc_node.chain.transactions import Fault, LossVector
from lc_node.chain.types import (
    ByteCount,
    JobId,
    MicroCredits,
    Millis,
    ModelRoot,
    NanoLoss,
    PublicKey,
)

EVENT_BYTES_MAX = 64 * 1024


class Reason(StrEnum):
    """Why something happened; stable names for programs."""

    POSTED = "posted"
    TOPPED_UP = "topped_up"
    EXTENDED = "extended"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    NO_BIDS = "no_bids"
    NOBODY_OPENED = "nobody_opened"
    NO_BID_CONFIRMED = "no_bid_confirmed"
    NOT_OPENED = "not_opened"
    ALL_OPENED = "all_opened"
    RESERVES_INVITED = "reserves_invited"
    WINDOW_ENDED = "window_ended"
    BID = "bid"
    OUTBID = "outbid"
    IMPROVED = "improved"
    BIDDER_BANNED = "bidder_banned"
    DRAWN = "drawn"
    GROWN = "grown"
    ALL_COMMITTED = "all_committed"
    ALL_REVEALED = "all_revealed"
    NEXT_CANDIDATE = "next_candidate"
    AWAITING_APPEAL = "awaiting_appeal"
    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    GROSSLY_REFUTED = "grossly_refuted"
    MODEL_UNAVAILABLE = "model_unavailable"
    IMAGE_UNAVAILABLE = "image_unavailable"
    EVALUATION_FAILED = "evaluation_failed"
    UNDECIDED = "undecided"
    RANDOM_EVALUATION = "random_evaluation"
    NOBODY_TO_VERIFY = "nobody_to_verify"
    BOUNTY = "bounty"
    FEE = "fee"
    BID_BOND = "bid_bond"
    FEE_REST = "fee_rest"
    FEE_KEPT = "fee_kept"
    VERIFIED = "verified"
    SILENT = "silent"
    WRONG_LOSSES = "wrong_losses"
    FORGOTTEN = "forgotten"
    EQUIVOCATED = "equivocated"
    BLOCKS = "blocks"
    DUTIES = "duties"


class JobPosted(Record, tag="job_posted"):
    """A job is open for bids."""

    job: JobId
    reason: Reason
    submitter: PublicKey
    bounty: MicroCredits
    fee: MicroCredits
    expiry: Millis


class JobChanged(Record, tag="job_changed"):
    """Its submitter raised the bounty or moved the expiry."""

    job: JobId
    reason: Reason
    bounty: MicroCredits
    expiry: Millis


class PhaseEntered(Record, tag="phase_entered"):
    """The job entered a phase that ends at ``due`` unless everything expected comes before."""

    job: JobId
    reason: Reason
    phase: Phase
    due: Millis


class PhaseComplete(Record, tag="phase_complete"):
    """All that a phase waited for has come: the next block takes the step."""

    job: JobId
    reason: Reason
    phase: Phase


class BidPlaced(Record, tag="bid_placed"):
    """Somebody announced a loss; rank 1 leads. A bond of 0 means a place among the reserves."""

    job: JobId
    reason: Reason
    bidder: PublicKey
    loss: NanoLoss
    rank: int
    bond: MicroCredits


class BidDropped(Record, tag="bid_dropped"):
    """A bid lost its place: as a finalist (to the reserves), or altogether if ``rank`` is 0."""

    job: JobId
    reason: Reason
    bidder: PublicKey
    loss: NanoLoss
    rank: int


class BidOpened(Record, tag="bid_opened"):
    """A finalist named the model that its bid was bound to."""

    job: JobId
    bidder: PublicKey
    loss: NanoLoss
    model_root: ModelRoot
    model_bytes: ByteCount


class CommitteeDrawn(Record, tag="committee_drawn"):
    """Who evaluates the candidate: all seats, those of a smaller committee first."""

    job: JobId
    reason: Reason
    candidate: PublicKey
    label: Label
    size: int
    members: tuple[PublicKey, ...]
    commit_due: Millis


class VerdictCommitted(Record, tag="verdict_committed"):
    """A member has made up its mind and hides it still."""

    job: JobId
    candidate: PublicKey
    member: PublicKey


class VerdictRevealed(Record, tag="verdict_revealed"):
    """A member's verdict."""

    job: JobId
    candidate: PublicKey
    member: PublicKey
    losses: LossVector
    fault: Fault


class CandidateDecided(Record, tag="candidate_decided"):
    """What the committee found of a candidate."""

    job: JobId
    candidate: PublicKey
    loss: NanoLoss
    outcome: Outcome
    reason: Reason


class Suspended(Record, tag="suspended"):
    """An account may not bid, post, move or bond credits, nor take a seat until the job is over."""

    job: JobId
    key: PublicKey
    reason: Reason


class Banned(Record, tag="banned"):
    """An account is banned for good; ``burned`` is what it lost with it."""

    job: JobId
    key: PublicKey
    reason: Reason
    burned: MicroCredits


class Paid(Record, tag="paid"):
    """Credits of a job went to an account's balance."""

    job: JobId
    to: PublicKey
    reason: Reason
    amount: MicroCredits


class Locked(Record, tag="locked"):
    """Credits of an account are held by a job."""

    job: JobId
    key: PublicKey
    reason: Reason
    amount: MicroCredits


class Burned(Record, tag="burned"):
    """Credits are gone; ``key`` lost them."""

    job: JobId
    key: PublicKey
    reason: Reason
    amount: MicroCredits


class JobEnded(Record, tag="job_ended"):
    """The job is SETTLED, REFUNDED or CANCELLED; ``winner`` is empty unless it is settled."""

    job: JobId
    reason: Reason
    phase: Phase
    winner: tuple[PublicKey, ...]
    loss: tuple[NanoLoss, ...]
    label: Label


class EpochBegan(Record, tag="epoch_began"):
    """The block before was the last of its epoch; these are the validators from now on."""

    validators: ValidatorSet


class JobForgotten(Record, tag="job_forgotten"):
    """The state no longer holds the job; these receipts do."""

    job: JobId
    reason: Reason


MarketEvent: TypeAlias = (
    JobPosted
    | JobChanged
    | PhaseEntered
    | PhaseComplete
    | BidPlaced
    | BidDropped
    | BidOpened
    | CommitteeDrawn
    | VerdictCommitted
    | VerdictRevealed
    | CandidateDecided
    | Suspended
    | Banned
    | Paid
    | Locked
    | Burned
    | JobEnded
    | JobForgotten
    | EpochBegan
)

MARKET_EVENT_DECODER: Decoder[MarketEvent] = Decoder(
    MarketEvent, what="market event", bytes_max=EVENT_BYTES_MAX
)
