"""One job's story, laid out for people: where it stands, who announced what, and what was found."""

from collections.abc import Sequence
from typing import Final

from lc_jupyter.curve import Announced, show_curve
from lc_jupyter.display import Cell, Column, Row, Shown, fold, heading, paragraph, stack, table
from lc_jupyter.units import short, short_job, show_credits, show_loss
from lc_jupyter.wording import show_clock, show_local, show_time_left, words
from lc_node.api.schema import Address, Event
from lc_node.api.schema_jobs import BidView, JobStory, JobSummary, VerdictView

_BIDS_SHOWN: Final = 10
_EVENTS_SHOWN: Final = 8
_EVENTS_FOLDED: Final = 200

BID_COLUMNS: Final = (
    Column("rank", is_number=True),
    Column("node"),
    Column("loss", is_number=True),
    Column("standing"),
    Column("time"),
    Column("opened"),
)
VERDICT_COLUMNS: Final = (
    Column("verifier"),
    Column("verdict"),
    Column("found", is_number=True),
    Column("of"),
)


def show_story(story: JobStory, now_ms: int) -> Shown:
    """Return one job's story as it stands."""
    job = story.summary
    return stack(
        heading(f"{job.title} · {short_job(job.job)}"),
        paragraph(_state(job, now_ms)),
        *(paragraph(part.text, part.tone) for part in describe_outcome(story)),
        _curve(story, now_ms),
        _bids_table(story.bids, find_banned(story.events)),
        *([_verdicts_table(story.verdicts)] if story.verdicts else []),
        *_events(story.events),
    )


def show_latest(story: JobStory) -> str:
    """Return the latest thing that happened, in one line."""
    return f"{show_clock(story.events[-1].time)}  {story.events[-1].text}" if story.events else ""


def find_banned(events: Sequence[Event]) -> tuple[Address, ...]:
    """Return the accounts that were banned in the course of a job."""
    return tuple(e.account for e in events if e.code == "banned" and e.account is not None)


def describe_state(job: JobSummary, left: str = "") -> str:
    """Return where a job stands: its phase, what it pays, how long that lasts, what is done here."""
    parts = [
        words(job.phase.value),
        f"{show_credits(job.bounty)} credits",
        *([left] if left else []),
    ]
    here = f"; here: {show_local(job)}" if show_local(job) and not job.phase.is_over else ""
    return ", ".join(parts) + here


def describe_outcome(story: JobStory) -> list[Cell]:
    """Return how it ended, a sentence each."""
    job, parts = story.summary, []
    if job.winner is not None:
        text = f"Won by {short(job.winner)} with {show_loss(job.best_loss)}, label {job.label}."
        parts.append(Cell(text, "good" if job.label == "strong" else ""))
    if story.reason_text:
        parts.append(Cell(story.reason_text, "dim"))
    return parts


def get_bid_rows(bids: Sequence[BidView], banned: Sequence[Address]) -> list[Row]:
    """Return a row for each of the best bids, under ``BID_COLUMNS``."""
    return [
        (
            str(bid.rank),
            short(bid.bidder) + (" (me)" if bid.mine else ""),
            show_loss(bid.loss),
            _standing_cell(bid, banned),
            show_clock(bid.time),
            "yes" if bid.opened else "–",
        )
        for bid in bids[:_BIDS_SHOWN]
    ]


def get_verdict_rows(verdicts: Sequence[VerdictView]) -> list[Row]:
    """Return a row for each verdict, under ``VERDICT_COLUMNS``."""
    return [
        (short(v.verifier), _verdict_cell(v), show_loss(v.mean), short(v.candidate))
        for v in verdicts
    ]


def _state(job: JobSummary, now_ms: int) -> str:
    left = "" if job.phase.is_over else f"{show_time_left(job, now_ms)} left in this phase"
    return describe_state(job, left)


def _curve(story: JobStory, now_ms: int) -> Shown:
    told = [
        Announced(bidder=e.account, loss=e.loss, time=e.time)
        for e in story.events
        if e.code == "bid" and e.account is not None and e.loss is not None
    ]
    refuted = {bid.bidder for bid in story.bids if bid.void_code}
    return show_curve(told, refuted, story.summary.posted, story.summary.expiry, now_ms)


def _bids_table(bids: Sequence[BidView], banned: Sequence[Address]) -> Shown:
    more = len(bids) - _BIDS_SHOWN
    caption = f"Bids (the best {_BIDS_SHOWN} of {len(bids)})" if more > 0 else "Bids"
    return table(caption, BID_COLUMNS, get_bid_rows(bids, banned), empty="No bids yet.")


def _standing_cell(bid: BidView, banned: Sequence[Address]) -> Cell:
    if bid.void_code:
        return Cell(bid.void_text + (", banned" if bid.bidder in banned else ""), "bad")
    return Cell(bid.standing, "good" if bid.standing == "confirmed" else "")


def _verdicts_table(verdicts: Sequence[VerdictView]) -> Shown:
    return table("Verdicts", VERDICT_COLUMNS, get_verdict_rows(verdicts), empty="")


def _verdict_cell(verdict: VerdictView) -> Cell:
    if verdict.fault not in {"", "none"}:
        return Cell(words(verdict.fault), "bad")
    if verdict.confirms is not None:
        return Cell("confirms", "good") if verdict.confirms else Cell("refutes", "bad")
    return Cell("committed" if verdict.committed else "evaluating", "dim")


def _events(events: Sequence[Event]) -> list[Shown]:
    """Return the latest events, and earlier ones folded."""
    latest = _events_table("Latest events", events[-_EVENTS_SHOWN:])
    earlier = events[:-_EVENTS_SHOWN][-_EVENTS_FOLDED:]
    if not earlier:
        return [latest]
    folded = fold(f"{len(earlier)} earlier events", _events_table("", earlier))
    return [latest, Shown(folded.html, "")]


def _events_table(caption: str, events: Sequence[Event]) -> Shown:
    rows = [(show_clock(event.time), event.text) for event in reversed(events)]
    return table(caption, (Column("time"), Column("what", wraps=True)), rows, empty="")
