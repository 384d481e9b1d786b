"""``lc-node status``, ``peers``: the node that runs."""

from pathlib import Path
from typing import Final

import click

from lc_node.api import schema
from lc_node.api.calls import GetPeers, GetStatus
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_finding, print_json, print_pairs, print_table
from lc_node.cli.wording import credits_text, short_address, short_id, span_text


@click.command()
@home_option
@json_option
def status(home: Path | None, *, as_json: bool) -> None:
    """The node at a glance."""
    with connect(home) as client:
        answer = client.call(GetStatus())
    if as_json:
        print_json(answer)
        return
    print_pairs(_status_pairs(answer))
    for finding in answer.findings:
        print_finding(finding.level.value, finding.text, finding.remedy)
    if answer.activities:
        print_table(("job", "does", "step"), _activity_rows(answer), empty="")


@click.command()
@home_option
@json_option
def peers(home: Path | None, *, as_json: bool) -> None:
    """The nodes that this one is connected to, and why it is not to others that it dials."""
    with connect(home) as client:
        answer, now = client.call(GetPeers()), client.call(GetStatus()).clock
    if as_json:
        print_json(answer)
        return
    columns = ("peer", "at", "known from", "height", "to ours", "heard", "score", "", "state")
    rows = [_peer_row(peer, now) for peer in answer]
    print_table(
        columns,
        rows,
        empty="No peers yet: join by a line of `lc-node invite`, or list one in config.toml, [[network.peers]].",
    )
    for peer in answer:
        if peer.remedy:
            print_finding(short_address(peer.address), peer.software, peer.remedy)


def _status_pairs(answer: schema.Status) -> tuple[tuple[str, str], ...]:
    return (
        ("address", answer.address),
        ("chain", answer.chain_id),
        ("height", f"{answer.height} ({answer.sync.value.replace('_', ' ')}){_kept(answer)}"),
        ("last block", f"{span_text(max(1000, answer.clock - answer.block_time))} ago"),
        ("peers", str(answer.peers)),
        ("balance", f"{credits_text(answer.balance)} credits"),
        ("bonded", f"{credits_text(answer.bonded)} credits" if answer.bonded else ""),
        ("unbonding", f"{credits_text(answer.unbonding)} credits" if answer.unbonding else ""),
        ("validator", "yes" if answer.is_validator else ""),
        ("banned", "yes: this key can do nothing any more" if answer.is_banned else ""),
        ("takes jobs", _takes_jobs(answer)),
        ("sandbox", _sandbox_text(answer.sandbox)),
        ("GPUs", _gpus(answer.sandbox) if answer.sandbox.engine else ""),
        ("open jobs", str(answer.jobs_open)),
    )


def _sandbox_text(sandbox: schema.SandboxState) -> str:
    if not sandbox.engine:
        return sandbox.problem
    return f"{sandbox.engine} {sandbox.version}: {', '.join(sandbox.enforced)}"


def _gpus(sandbox: schema.SandboxState) -> str:
    return f"{sandbox.gpus} for jobs" if sandbox.gpus else f"none: {sandbox.gpu_problem}"


def _takes_jobs(answer: schema.Status) -> str:
    if answer.no_jobs_now:
        return f"not now: {answer.no_jobs_now}" if answer.is_working else answer.no_jobs_now
    return "yes" if answer.is_working else "no"


def _peer_row(peer: schema.Peer, now: int) -> tuple[str, ...]:
    is_up = not peer.software
    relation = f"{abs(peer.ahead):,} {'ahead' if peer.ahead > 0 else 'behind'}"
    return (
        short_address(peer.address),
        peer.endpoint,
        peer.known_from,
        f"{peer.height:,}" if peer.height else "-",
        "" if not is_up else relation if peer.ahead else "the same",
        "-" if peer.heard is None else f"{span_text(max(1000, now - peer.heard))} ago",
        str(peer.score),
        "validator" if peer.is_validator else "",
        peer.software
        or f"{'we' if peer.is_outbound else 'it'} dialed {span_text(max(1000, now - peer.since))} ago",
    )


def _activity_rows(answer: schema.Status) -> list[tuple[str, ...]]:
    return [(f"{short_id(one.job)} {one.title}", one.kind, one.step) for one in answer.activities]


COMMANDS: Final[tuple[click.Command, ...]] = (status, peers)


def _kept(status: schema.Status) -> str:
    """Say from where on blocks are here, unless it is the beginning."""
    return f", blocks from {status.blocks_from}" if status.blocks_from > 1 else ""
