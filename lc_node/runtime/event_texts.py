"""The chain's receipts as the API's events: one sentence each, for people."""

from typing import Any, Final

from lc_node.api import schema
from lc_node.chain.addresses import encode_address
from lc_node.chain.codec import Record
from lc_node.chain.events import (
    Banned,
    BidDropped,
    BidOpened,
    BidPlaced,
    Burned,
    CandidateDecided,
    CommitteeDrawn,
    JobChanged,
    JobEnded,
    JobForgotten,
    JobPosted,
    Locked,
    Paid,
    PhaseComplete,
    PhaseEntered,
    Suspended,
    VerdictCommitted,
    VerdictRevealed,
)
from lc_node.chain.job import Outcome, Phase
from lc_node.chain.transactions import Fault
from lc_node.chain.types import Height, JobId, Millis, PublicKey

_CREDIT: Final = 1_000_000
_NANO: Final = 1_000_000_000
_SMALL_LOSS: Final = 0.001
_SHOWN: Final = 8


def event_of(record: Record, height: Height, time: Millis) -> schema.Event | None:
    """Return a receipt as an event of the API; None for what says nothing to an owner."""
    code, text, fields = _told(record)
    if not text:
        return None
    job = getattr(record, "job", None)
    return schema.Event(
        sequence=schema.Sequence(0),
        time=schema.Millis(time),
        code=code,
        text=text,
        height=height,
        job=None if job is None else job_name(job),
        **fields,
    )


def job_name(job: JobId) -> schema.JobId:
    """Return a job's id as the API writes it."""
    return schema.JobId(job.hex())


def address(key: PublicKey) -> schema.Address:
    """Return an account as the API writes it."""
    return schema.Address(encode_address(key))


def api_phase(phase: Phase) -> schema.Phase:
    """Return a phase as the API names it."""
    return schema.Phase(phase.name.lower())


def credits_text(micro: int) -> str:
    """Return an amount of credits without needless zeros."""
    return f"{micro / _CREDIT:.6f}".rstrip("0").rstrip(".")


def loss_text(nano: int) -> str:
    """Return a loss with six digits behind the point, a small one with six significant ones."""
    loss = nano / _NANO
    return f"{loss:.6g}" if 0 < abs(loss) < _SMALL_LOSS else f"{loss:.6f}"


def short(key: PublicKey) -> str:
    """Return the head and tail of an account's address."""
    name = encode_address(key)
    return f"{name[:_SHOWN]}…{name[-4:]}"


def _told(record: Record) -> tuple[str, str, dict[str, Any]]:  # noqa: C901, PLR0911, PLR0912 (a table, a line a kind)
    """Return code, sentence and fields of a receipt; an empty sentence is not told."""
    match record:
        case JobPosted(submitter=who, bounty=bounty):
            text = f"posted for {credits_text(bounty)} credits"
            return "posted", text, {"account": address(who), "amount": bounty}
        case JobChanged(reason=reason, bounty=bounty):
            text = f"{_words(reason)}; the bounty is {credits_text(bounty)} credits"
            return str(reason), text, {"amount": bounty}
        case PhaseEntered(phase=phase, reason=reason):
            text = f"{phase.name.lower()}: {_words(reason)}"
            return "phase", text, {"phase": api_phase(phase)}
        case BidPlaced(bidder=who, loss=loss, rank=rank):
            text = f"{short(who)} announced {loss_text(loss)}, rank {rank}"
            return "bid", text, {"account": address(who), "loss": loss}
        case BidDropped(bidder=who, loss=loss, reason=reason):
            text = f"{short(who)} lost its place: {_words(reason)}"
            return "bid_dropped", text, {"account": address(who), "loss": loss}
        case BidOpened(bidder=who, loss=loss):
            text = f"{short(who)} opened its bid of {loss_text(loss)}"
            return "opened", text, {"account": address(who), "loss": loss}
        case CommitteeDrawn(candidate=who, members=members, label=label):
            text = f"{len(members)} verifiers drawn for {short(who)}; at best {label}"
            return "committee", text, {"account": address(who)}
        case VerdictRevealed(member=who, candidate=candidate, losses=losses, fault=fault):
            found = loss_text(sum(losses) // len(losses)) if losses else _words(fault)
            text = f"{short(who)} found {found} for {short(candidate)}"
            return "verdict", text, {"account": address(who)}
        case CandidateDecided(candidate=who, outcome=outcome, loss=loss):
            text = f"{short(who)} with {loss_text(loss)} is {_words(outcome)}"
            code = "confirmed" if outcome is Outcome.CONFIRMED else "void"
            return code, text, {"account": address(who), "loss": loss}
        case Suspended(key=who):
            text = f"{short(who)} is suspended until the job is over"
            return "suspended", text, {"account": address(who)}
        case Banned(key=who, burned=amount):
            text = f"{short(who)} is banned and loses {credits_text(amount)} credits"
            return "banned", text, {"account": address(who), "amount": amount}
        case Paid(to=who, amount=amount, reason=reason):
            text = f"{short(who)} gets {credits_text(amount)} credits: {_words(reason)}"
            return "paid", text, {"account": address(who), "amount": amount}
        case Burned(key=who, amount=amount, reason=reason):
            text = f"{short(who)} loses {credits_text(amount)} credits: {_words(reason)}"
            return "burned", text, {"account": address(who), "amount": amount}
        case JobEnded(phase=phase, winner=winner, label=label, reason=reason):
            won = f"won by {short(winner[0])}, label {label}" if winner else _words(reason)
            text = f"{phase.name.lower()}: {won}"
            return phase.name.lower(), text, {"phase": api_phase(phase)}
        case VerdictCommitted() | PhaseComplete() | Locked() | JobForgotten() | _:
            return "", "", {}


def _words(name: str | Fault) -> str:
    return str(name).replace("_", " ")
