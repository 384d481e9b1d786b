"""``lc-node policy``: which jobs the node takes, and what they may use."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
import msgspec

from lc_node.api import schema
from lc_node.api.calls import GetPolicy, SetPolicy
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_json, print_pairs
from lc_node.cli.wording import CREDITS, LIST, SIZE, SPAN, credits_text, span_text


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
@click.option("--image-bytes-max", type=SIZE, help="Such as 20G.")
@click.option("--cpus", type=click.FloatRange(0.001, 1000), help="For all trainings together.")
@click.option("--memory", type=SIZE, help="Likewise, and once more for evaluations.")
@click.option("--disk", type=SIZE, help="For all trainings together.")
@click.option("--gpus", type=click.IntRange(0, 64), help="For all trainings together.")
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
    cpus: float | None,
    memory: int | None,
    disk: int | None,
    gpus: int | None,
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
    changes = _named(wished)
    offered = _named(
        {
            "millicpus": None if cpus is None else round(1000 * cpus),
            "memory_bytes": memory,
            "disk_bytes": disk,
            "gpus": gpus,
        }
    )
    if not (changes or offered):
        message = "Say what to change, as in `lc-node policy set --jobs-at-once 2`."
        raise click.UsageError(message)
    with connect(home) as client:
        policy_now = client.call(GetPolicy())
        offer = msgspec.structs.replace(policy_now.offered, **offered)
        changed = msgspec.structs.replace(policy_now, offered=offer, **changes)
        _show_policy(client.call(SetPolicy(policy=changed)), as_json=as_json)


def _named(wished: Mapping[str, object]) -> dict[str, object]:
    """Return what was said on the command line."""
    return {name: value for name, value in wished.items() if value is not None}


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


COMMANDS: Final[tuple[click.Command, ...]] = (policy,)
