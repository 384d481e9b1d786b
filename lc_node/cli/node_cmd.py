"""``lc-node status``, ``peers``, ``policy``: the node that runs."""

from pathlib import Path
from typing import Final

import click
import msgspec

from lc_node.api import schema
from lc_node.api.calls import GetPeers, GetPolicy, GetStatus, SetPolicy
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_finding, print_json, print_pairs, print_table
from lc_node.cli.wording import (
    CREDITS,
    LIST,
    SPAN,
    credits_text,
    short_address,
    short_id,
    span_text,
)


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


@click.group()
def policy() -> None:
    """Which jobs this node takes."""


@policy.command()
@home_option
@json_option
def show(home: Path | None, *, as_json: bool) -> None:
    """Show the policy that holds."""
    with connect(home) as client:
        _show_policy(client.call(GetPolicy()), as_json=as_json)


@policy.command(name="set")
@click.option("--work/--no-work", default=None, help="Whether to take jobs at all.")
@click.option("--bounty-min", type=CREDITS, help="In credits.")
@click.option("--time-left-min", type=SPAN)
@click.option("--trial-time-max", type=SPAN)
@click.option("--jobs-at-once", type=click.IntRange(1, 256))
@click.option("--image-bytes-max", type=click.IntRange(1))
@click.option("--allow", type=LIST, help="Submitters' addresses, with commas; '' is everybody.")
@click.option("--deny", type=LIST, help="Submitters' addresses, with commas; '' is nobody.")
@click.option("--hours", type=LIST, help="Such as 22:00-07:30, with commas; '' is at any time.")
@click.option("--pause-on-battery/--no-pause-on-battery", default=None)
@click.option(
    "--others-percent-max",
    type=click.IntRange(0, 100),
    help="Begin nothing while others use more of the processors; 100: whatever they use.",
)
@home_option
@json_option
def set_(  # noqa: PLR0913  # one argument an option
    *,
    home: Path | None,
    bounty_min: schema.MicroCredits | None,
    time_left_min: int | None,
    trial_time_max: int | None,
    jobs_at_once: int | None,
    image_bytes_max: int | None,
    allow: tuple[str, ...] | None,
    deny: tuple[str, ...] | None,
    hours: tuple[str, ...] | None,
    pause_on_battery: bool | None,
    others_percent_max: int | None,
    work: bool | None,
    as_json: bool,
) -> None:
    """Change the policy while the node runs; what is not named stays."""
    wished = {
        "work": work,
        "bounty_min": bounty_min,
        "time_left_min_seconds": time_left_min,
        "trial_seconds_max": trial_time_max,
        "jobs_at_once": jobs_at_once,
        "image_bytes_max": image_bytes_max,
        "allow": allow,
        "deny": deny,
        "hours": hours,
        "pause_on_battery": pause_on_battery,
        "others_percent_max": others_percent_max,
    }
    changes = {name: value for name, value in wished.items() if value is not None}
    if not changes:
        message = "Say what to change, as in `lc-node policy set --jobs-at-once 2`."
        raise click.UsageError(message)
    with connect(home) as client:
        changed = msgspec.structs.replace(client.call(GetPolicy()), **changes)
        _show_policy(client.call(SetPolicy(policy=changed)), as_json=as_json)


def _status_pairs(answer: schema.Status) -> tuple[tuple[str, str], ...]:
    sandbox = answer.sandbox
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
        ("sandbox", f"{sandbox.engine} {sandbox.version}" if sandbox.engine else sandbox.problem),
        ("open jobs", str(answer.jobs_open)),
    )


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


def _show_policy(answer: schema.Policy, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    offered = answer.offered
    print_pairs(
        (
            ("takes jobs", "yes" if answer.work else "no"),
            ("bounty at least", f"{credits_text(answer.bounty_min)} credits"),
            ("time left at least", span_text(1000 * answer.time_left_min_seconds)),
            ("trials at most", span_text(1000 * answer.trial_seconds_max)),
            ("jobs at once", str(answer.jobs_at_once)),
            ("image at most", f"{answer.image_bytes_max:,} bytes"),
            ("processors", f"{offered.millicpus / 1000:g}"),
            ("memory", f"{offered.memory_bytes:,} bytes"),
            ("disk", f"{offered.disk_bytes:,} bytes"),
            ("GPUs", str(offered.gpus)),
            ("only from", ", ".join(answer.allow)),
            ("never from", ", ".join(answer.deny)),
            ("hours", ", ".join(answer.hours) or "any"),
            ("on battery", "begins nothing" if answer.pause_on_battery else "goes on"),
            ("others' load", f"up to {answer.others_percent_max} % of the processors"),
        )
    )


COMMANDS: Final[tuple[click.Command, ...]] = (status, peers, policy)


def _kept(status: schema.Status) -> str:
    """Say from where on blocks are here, unless it is the beginning."""
    return f", blocks from {status.blocks_from}" if status.blocks_from > 1 else ""
