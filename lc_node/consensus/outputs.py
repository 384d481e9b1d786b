"""What the core wants done, as values, to be done strictly in the order given.

A Persist must be durable before anything after it is performed: a vote that was sent and then
forgotten in a crash could be contradicted (docs/CONSENSUS.md, E).
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from lc_node.chain.blocks import Block
from lc_node.chain.types import BlockId, Millis, PublicKey
from lc_node.chain.votes import Certificate, Vote
from lc_node.consensus.messages import Message


class Audience(Enum):
    """Receivers whom the core does not name one by one."""

    VALIDATORS = auto()
    """Every other member of the set."""
    FOLLOWERS = auto()
    """Every connected peer outside the set."""
    ANYONE = auto()
    """One connected peer, another one each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistVote:
    """Store our vote, with the certificate it rests on, if any (VoteStore.put_vote)."""

    vote: Vote
    certificate: Certificate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistCertificate:
    """Store an adopted certificate (VoteStore.put_certificate)."""

    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class PersistBlock:
    """Store a block that we proposed or are about to vote for (VoteStore.put_block)."""

    block: Block
    block_id: BlockId


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a message; it may be lost."""

    to: PublicKey | Audience
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliver:
    """These blocks, in height order, are final: the certificate finalises the last of them.

    Idempotent by height. Afterwards VoteStore.prune below the certificate's view is allowed.
    """

    blocks: tuple[Block, ...]
    certificate: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTimer:
    """Call ``on_time`` at this time; replaces the timer set before."""

    at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFound:
    """Two votes that no honest validator signs both of (G): an Evidence transaction is due."""

    first: Vote
    second: Vote


class Fault(Enum):
    """What a peer sent that no honest peer sends."""

    BAD_SIGNATURE = auto()
    """A vote whose signature does not verify."""
    BAD_CERTIFICATE = auto()
    """A certificate without a quorum of valid signatures."""
    BAD_PROPOSAL = auto()
    """A proposal that is not its leader's, or whose block is not the one voted for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """A peer sent something that no honest peer sends: it may be scored, or hung up on."""

    peer: PublicKey
    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningStopped:
    """A vote under our key is out that we have no record of: we sign no more in this epoch (E)."""

    vote: Vote


Output: TypeAlias = (
    PersistVote
    | PersistCertificate
    | PersistBlock
    | Send
    | Deliver
    | SetTimer
    | EvidenceFound
    | Misbehaviour
    | SigningStopped
)
