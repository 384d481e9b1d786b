"""What a light client tells: facts about the chain, each with its proof's place and age."""

from enum import StrEnum

from lc_node.api.schema import Address, Digest, JobId, MicroCredits, Millis, NanoLoss, Part, Phase


class Freshness(StrEnum):
    """How a proof's time stands to this machine's clock."""

    FRESH = "fresh"
    STALE = "stale"
    """No newer block was shown for longer than a living chain takes: it halts, or the server hides it."""
    AHEAD = "ahead"
    """It is from the future: this machine's clock is behind."""


class Proof(Part):
    """Where a fact was proved."""

    chain_id: Digest
    height: int
    time: Millis
    """Of the block after which the fact holds."""
    epoch: int
    validators: int
    """Who may vote in that epoch; more than two thirds of their weight have signed the block."""
    freshness: Freshness
    server: str
    """Who showed the proof."""
    agreeing: int
    """Other servers that have the same block final there."""
    servers: int
    """All that were to be asked."""
    is_trust_old: bool = False
    """Whether what the proofs began with is older than bonds last, and was trusted all the same."""


class ProvenChain(Part):
    """The newest final block."""

    proof: Proof


class ProvenAccount(Part):
    """An account in the state."""

    address: Address
    balance: MicroCredits
    bonded: MicroCredits
    unbonding: MicroCredits
    is_banned: bool
    proof: Proof


class ProvenJob(Part):
    """A job in the state."""

    job: JobId
    title: str
    submitter: Address
    phase: Phase
    bounty: MicroCredits
    expiry: Millis
    bids: int
    best_loss: NanoLoss | None
    proof: Proof


class ProvenResult(Part):
    """Who won a job, and with what."""

    job: JobId
    title: str
    winner: Address
    bounty: MicroCredits
    loss: NanoLoss
    label: str
    """How much others have checked the loss."""
    model: Digest
    """The root over the model's chunks: whoever gives you the model, it must have this."""
    model_bytes: int
    proof: Proof
