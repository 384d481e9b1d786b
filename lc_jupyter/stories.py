"""What a node tells, laid out for people: status, tables of jobs, one job's story."""

from collections.abc import Sequence
from datetime import UTC, datetime

from lc_jupyter.display import Cell, Column, Shown, heading, paragraph, stack, table
from lc_jupyter.packaging.image import BuiltImage
from lc_jupyter.units import short, show_bytes, show_credits, show_loss, show_seconds
from lc_node.api.schema import Phase, Status
from lc_node.api.schema_jobs import (
    BidView,
    CheckProblem,
    CheckReport,
    JobStory,
    JobSummary,
    Price,
    VerdictView,
)

_BIDS_SHOWN = 10
_EVENTS_SHOWN = 12


def show_status(status: Status) -> Shown:
    """Return the node at a glance."""
    sandbox = status.sandbox
    rows = [
        ("node", status.address),
        ("credits", f"{show_credits(status.balance)} + {show_credits(status.bonded)} bonded"),
        ("height", f"{status.height} ({status.sync.value.replace('_', ' ')})"),
        ("peers", str(status.peers)),
        ("sandbox", f"{sandbox.engine} {sandbox.version}" if sandbox.engine else sandbox.problem),
        ("open jobs", str(status.jobs_open)),
        *(("running", f"{a.kind} {a.title}: {a.step}") for a in status.activities),
    ]
    return table("LearningChain", (Column(""), Column("", wraps=True)), rows, empty="")


def show_jobs(jobs: Sequence[JobSummary], now_ms: int) -> Shown:
    """Return a table of jobs, newest first."""
    columns = (
        Column("job"),
        Column("name"),
        Column("phase"),
        Column("bounty", is_number=True),
        Column("bids", is_number=True),
        Column("best loss", is_number=True),
        Column("time left", is_number=True),
        Column("here"),
    )
    rows = [
        (
            short(job.job),
            job.title + (" (mine)" if job.mine else ""),
            _phase_cell(job),
            show_credits(job.bounty),
            str(job.bids),
            show_loss(job.best_loss),
            _time_left(job, now_ms),
            job.local,
        )
        for job in jobs
    ]
    return table("Jobs", columns, rows, empty="No jobs here. Post one with %%lc_submit.")


def show_story(story: JobStory, now_ms: int) -> Shown:
    """Return one job's story: where it stands, its bids, verdicts and latest events."""
    job = story.summary
    state = f"{job.phase.value}, {show_credits(job.bounty)} credits"
    if not job.phase.is_over:
        state += f", {_time_left(job, now_ms)} left in this phase"
    parts = [heading(f"{job.title} · {short(job.job)}"), paragraph(state)]
    if job.winner is not None:
        parts.append(
            paragraph(
                f"Won by {short(job.winner)} with {show_loss(job.best_loss)}, label {job.label}.",
                "good" if job.label == "strong" else "",
            )
        )
    if story.reason_text:
        parts.append(paragraph(story.reason_text, "dim"))
    parts.append(_bids_table(story.bids))
    if story.verdicts:
        parts.append(_verdicts_table(story.verdicts))
    parts.append(_events_table(story))
    return stack(*parts)


def show_price(price: Price) -> Shown:
    """Return what posting would cost, in a sentence."""
    text = (
        f"Price: bounty {show_credits(price.bounty)} + fee {show_credits(price.fee)}; "
        f"balance {show_credits(price.balance)}, after it {show_credits(price.balance_after)}."
    )
    return stack(paragraph(text), *([paragraph(price.note)] if price.note else []))


def show_image(image: BuiltImage, sent: int) -> Shown:
    """Return what leaves the machine: layers, distributions, captured names, and how much is new."""
    captured = ", ".join(f"{n.name} ({n.kind}, {show_bytes(n.size)})" for n in image.plan.captured)
    names = ", ".join(f"{name} {version}" for name, version in image.plan.distributions)
    rows = [
        ("image", f"{len(image.layers)} layers, {show_bytes(image.total_bytes)}"),
        ("new to the node", show_bytes(sent)),
        ("captured", captured or "nothing"),
        ("own files", ", ".join(image.plan.local_files) or "none"),
        (
            "included",
            ", ".join(f"{p} ({show_bytes(n)})" for p, n in image.plan.included_files) or "none",
        ),
        ("packages", names),
        ("packaged in", f"{sum(image.seconds.values()):.1f} s"),
    ]
    return table("What the image holds", (Column(""), Column("", wraps=True)), rows, empty="")


def show_check(report: CheckReport) -> Shown:
    """Return what running the job once on the own node has shown."""
    if report.problem is not CheckProblem.NONE:
        return paragraph(f"Check: {report.text}", "bad")
    return paragraph(
        f"Check: first model after {report.first_model_ms / 1000:.1f} s, "
        f"{show_bytes(report.model_bytes)}; evaluated twice alike in "
        f"{report.evaluate_ms / 1000:.1f} s each, loss {show_loss(report.loss)}.",
        "good",
    )


def _bids_table(bids: Sequence[BidView]) -> Shown:
    columns = (
        Column("rank", is_number=True),
        Column("node"),
        Column("loss", is_number=True),
        Column("time"),
        Column("opened"),
        Column("standing"),
    )
    rows = [
        (
            str(bid.rank),
            short(bid.bidder) + (" (me)" if bid.mine else ""),
            show_loss(bid.loss),
            _clock(bid.time),
            "yes" if bid.opened else "–",
            Cell(bid.void_text, "bad") if bid.void_code else Cell(bid.standing),
        )
        for bid in bids[:_BIDS_SHOWN]
    ]
    more = len(bids) - _BIDS_SHOWN
    caption = f"Bids ({more} more below these)" if more > 0 else "Bids"
    return table(caption, columns, rows, empty="No bids yet.")


def _verdicts_table(verdicts: Sequence[VerdictView]) -> Shown:
    columns = (
        Column("verifier"),
        Column("of"),
        Column("found", is_number=True),
        Column("verdict"),
    )
    return table(
        "Verdicts",
        columns,
        [
            (short(v.verifier), short(v.candidate), show_loss(v.mean), _verdict_cell(v))
            for v in verdicts
        ],
        empty="",
    )


def _verdict_cell(verdict: VerdictView) -> Cell:
    if verdict.fault not in {"", "none"}:
        return Cell(verdict.fault.replace("_", " "), "bad")
    if verdict.confirms is not None:
        return Cell("confirms", "good") if verdict.confirms else Cell("refutes", "bad")
    return Cell("committed" if verdict.committed else "evaluating", "dim")


def _events_table(story: JobStory) -> Shown:
    rows = [(_clock(event.time), event.text) for event in story.events[-_EVENTS_SHOWN:]]
    return table("Events", (Column("time"), Column("what", wraps=True)), rows, empty="")


def _phase_cell(job: JobSummary) -> Cell:
    tone = {Phase.SETTLED: "good", Phase.REFUNDED: "bad", Phase.CANCELLED: "dim"}
    label = f" ({job.label})" if job.label else ""
    return Cell(job.phase.value + label, tone.get(job.phase, ""))


def _time_left(job: JobSummary, now_ms: int) -> str:
    return "–" if job.phase.is_over else show_seconds((job.due - now_ms) // 1000)


def _clock(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, tz=UTC).astimezone().strftime("%H:%M:%S")
