"""What serving jobs takes: the tools, and what is written down before it is told to the chain."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from lc_node.chain.commitments import (
    Announcement,
    SeatName,
    compute_bid_commitment,
    compute_verdict_commitment,
)
from lc_node.chain.job import Job, Verdict
from lc_node.chain.params import ProtocolParams
from lc_node.chain.state import State
from lc_node.chain.transactions import Bid, Body, Open, VerdictCommit, VerdictReveal
from lc_node.chain.types import ChainId, Digest, Height, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.surroundings import Surroundings
from lc_node.ports.work import WorkStore
from lc_node.runtime.desk import Desk
from lc_node.runtime.salts import Salts
from lc_node.runtime.workshop import Workshop
from lc_node.worker.duties import (
    Action,
    AnnounceBid,
    CommitVerdict,
    Mine,
    OpenBid,
    Opening,
    RevealVerdict,
    Solution,
    next_actions,
)

Decide = Callable[[Job, PublicKey, Mine, Millis], tuple[Action, ...]]
"""The rules of conduct; an adversary of the demo has others."""

RETRY_SECONDS: Final = 1.0
"""An action that failed is tried again after this long, while the chain still expects it."""


class ChainView(Protocol):
    """What the service sees of the chain."""

    @property
    def state(self) -> State:
        """The last finalised state."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What the service works with."""

    me: PublicKey
    chain_id: ChainId
    chain: ChainView
    params: ProtocolParams
    send: Callable[[Body], Awaitable[Height]]
    """Returns at which height the transaction is final; raises TransactionRefused when it cannot be."""
    workshop: Workshop
    work: WorkStore
    salts: Salts
    clock: Clock
    surroundings: Surroundings
    seek: Callable[[frozenset[PublicKey]], None] = lambda _peers: None
    """Told whom our jobs need a connection with."""
    decide: Decide = next_actions
    retry_seconds: float = RETRY_SECONDS


def body_of(
    office: Office,
    desk: Desk,
    job: Job,
    action: AnnounceBid | OpenBid | CommitVerdict | RevealVerdict,
) -> Body:
    """Return what to send for an action; what it commits to is on disk before."""
    match action:
        case AnnounceBid(solution=solution):
            commitment = note_opening(office, desk, solution)
            return Bid(job=job.id, loss=solution.loss, commitment=commitment)
        case OpenBid(opening=opening):
            return Open(
                job=job.id,
                model_root=opening.solution.model_root,
                model_bytes=opening.solution.model_bytes,
                salt=opening.salt,
            )
        case CommitVerdict(candidate=candidate, size=size, verdict=verdict):
            verdict = note_verdict(office, desk, candidate, verdict)
            salt = office.salts.of_verdict(job.id, candidate)
            seat = SeatName(job=job.id, candidate=candidate, size=size, member=office.me)
            commitment = compute_verdict_commitment(office.chain_id, seat, verdict, salt)
            return VerdictCommit(job=job.id, candidate=candidate, commitment=commitment)
        case RevealVerdict(candidate=candidate, verdict=verdict):
            return VerdictReveal(
                job=job.id,
                candidate=candidate,
                losses=verdict.losses,
                fault=verdict.fault,
                salt=office.salts.of_verdict(job.id, candidate),
            )


def note_opening(office: Office, desk: Desk, solution: Solution) -> Digest:
    """Remember what a bid on this solution commits to, and return the commitment."""
    salt = office.salts.of_bid(desk.job, solution.model_root)
    announcement = Announcement(
        job=desk.job,
        bidder=office.me,
        loss=solution.loss,
        model_root=solution.model_root,
        model_bytes=solution.model_bytes,
    )
    commitment = compute_bid_commitment(office.chain_id, announcement, salt)
    desk.openings[commitment] = Opening(solution=solution, salt=salt)
    return commitment


def note_verdict(office: Office, desk: Desk, candidate: PublicKey, verdict: Verdict) -> Verdict:
    """Remember a verdict before it is told; the first one on a candidate stays."""
    office.work.put_verdict(desk.job, candidate, verdict)
    return desk.verdicts.setdefault(candidate, verdict)
