"""The node, its peers, an account and the jobs of the graph, laid out for people."""

from collections.abc import Sequence
from typing import Final

from lc_jupyter.display import Cell, Column, Shown, facts, table
from lc_jupyter.units import short, short_job, show_credits, show_loss, show_seconds
from lc_jupyter.wording import show_local, show_time_left, words
from lc_node.api.schema import Account, Finding, Level, Peer, Phase, Status, SyncState
from lc_node.api.schema_jobs import JobSummary

_PHASE_TONES: Final = {Phase.SETTLED: "good", Phase.REFUNDED: "bad", Phase.CANCELLED: "dim"}


def show_status(status: Status) -> Shown:
    """Return the node at a glance."""
    sandbox = status.sandbox
    works = "takes jobs" if status.is_working else "takes no jobs"
    if status.is_working and status.no_jobs_now:
        works = f"takes no job now: {status.no_jobs_now}"
    return facts(
        "LearningChain",
        [
            ("node", Cell("banned", "bad") if status.is_banned else status.address),
            ("credits", f"{show_credits(status.balance)} + {show_credits(status.bonded)} bonded"),
            ("height", _height_cell(status)),
            ("peers", str(status.peers)),
            (
                "sandbox",
                f"{sandbox.engine} {sandbox.version}, {works}"
                if sandbox.engine
                else Cell(sandbox.problem, "bad"),
            ),
            ("open jobs", str(status.jobs_open)),
            *(_finding_row(finding) for finding in status.findings),
            *(("running", f"{a.kind} {a.title}: {a.step}") for a in status.activities),
        ],
    )


def show_jobs(jobs: Sequence[JobSummary], now_ms: int) -> Shown:
    """Return a table of jobs, newest first."""
    columns = (
        Column("job"),
        Column("name", wraps=True),
        Column("phase"),
        Column("bounty", is_number=True),
        Column("bids", is_number=True),
        Column("best loss", is_number=True),
        Column("time left", is_number=True),
        Column("here", wraps=True),
    )
    rows = [
        (
            short_job(job.job),
            job.title + (" (mine)" if job.mine else ""),
            _phase_cell(job),
            show_credits(job.bounty),
            str(job.bids),
            show_loss(job.best_loss),
            show_time_left(job, now_ms),
            show_local(job),
        )
        for job in jobs
    ]
    return table("Jobs", columns, rows, empty="No jobs here. Post one with %%lc_submit.")


def show_account(account: Account) -> Shown:
    """Return somebody's account, as the own node has it."""
    balance = Cell("banned", "bad") if account.is_banned else show_credits(account.balance)
    return facts(
        "Credits",
        [
            ("account", account.address),
            ("balance", balance),
            ("bonded", show_credits(account.bonded)),
            ("unbonding", show_credits(account.unbonding)),
            ("validator", "yes" if account.is_validator else "–"),
        ],
    )


def show_peers(peers: Sequence[Peer], now_ms: int) -> Shown:
    """Return a table of the connected nodes, and of those that are not, with the reason."""
    columns = (
        Column("node"),
        Column("endpoint"),
        Column("height", is_number=True),
        Column("validator"),
        Column("latency", is_number=True),
        Column("connected", is_number=True),
    )
    rows = [
        (
            short(peer.address),
            peer.endpoint,
            str(peer.height),
            "yes" if peer.is_validator else "–",
            "–" if peer.latency_ms is None else f"{peer.latency_ms} ms",
            Cell(peer.software, "bad")
            if peer.remedy
            else show_seconds((now_ms - peer.since) // 1000),
        )
        for peer in peers
    ]
    return table(
        "Peers", columns, rows, empty="No peers are connected: see the node's log, or add peers."
    )


def _finding_row(finding: Finding) -> tuple[str, Cell]:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    tone = "dim" if finding.level is Level.NOTE else "bad"
    return finding.level.value, Cell(finding.text + remedy, tone)


def _height_cell(status: Status) -> Cell:
    tone = "bad" if status.sync is SyncState.HALTED else ""
    return Cell(f"{status.height} ({words(status.sync.value)})", tone)


def _phase_cell(job: JobSummary) -> Cell:
    label = f" ({job.label})" if job.label else ""
    return Cell(job.phase.value + label, _PHASE_TONES.get(job.phase, ""))
