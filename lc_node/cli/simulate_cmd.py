"""``lc-node simulate``: a whole network in one process, with faults and liars, from a seed."""

import os
import time
from typing import Final

import click
from msgspec.structs import replace

from lc_node.cli.exits import Exit
from lc_node.cli.options import json_option
from lc_node.cli.output import print_json, print_pairs
from lc_node.sim.campaign import simulate as run_campaign
from lc_node.sim.faults import Fault, parse_faults
from lc_node.sim.report import Report, Run
from lc_node.sim.scenario import Scenario

_SHARE_MAX: Final = 1 / 3
"""With a third of the weight dishonest nothing can be promised."""


@click.command()
@click.option(
    "--nodes",
    type=click.IntRange(4, 1_000),
    default=7,
    show_default=True,
    help="How many nodes; up to 100 of them vote, the others follow.",
)
@click.option(
    "--seeds", type=click.IntRange(1), default=20, show_default=True, help="How many runs."
)
@click.option(
    "--first-seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="The first one's seed.",
)
@click.option(
    "--faults",
    default="all",
    show_default=True,
    help=f"What may go wrong: all, none, or names with commas between: {', '.join(Fault)}.",
)
@click.option(
    "--byzantine",
    type=click.FloatRange(0, _SHARE_MAX, max_open=True),
    default=0.3,
    show_default=True,
    help="The dishonest share of nodes and of weight, below a third.",
)
@click.option(
    "--epoch-heights",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="So many blocks make an epoch, after which members and weights change; 0: never.",
)
@click.option("--market", is_flag=True, help="Run the real ledger, with jobs, bids and verdicts.")
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=None,
    help="How many seeds run at a time [default: one a processor].",
)
@json_option
@click.pass_context
def simulate(  # noqa: PLR0913 - one argument an option
    context: click.Context,
    *,
    nodes: int,
    seeds: int,
    first_seed: int,
    faults: str,
    byzantine: float,
    epoch_heights: int,
    market: bool,
    processes: int | None,
    as_json: bool,
) -> None:
    """Search for a seed that breaks agreement; exit code 1 if there is one.

    The protocol's own code runs on a virtual clock and a network that loses, doubles, delays and
    cuts; nodes crash; a share of them lies. The same seed gives the same run.
    """
    try:
        chosen = parse_faults(faults)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--faults") from error
    if market and epoch_heights:
        raise click.UsageError(
            "with --market the real ledger says when epochs end: no --epoch-heights"
        )
    scenario = Scenario.of(nodes=nodes, byzantine=byzantine, faults=chosen, market=market)
    goal = max(scenario.goal, 2 * epoch_heights + 2)  # over two ends of epochs after the healing
    scenario = replace(scenario, epoch_heights=epoch_heights, goal=goal)
    again = f"lc-node simulate --nodes {nodes} --faults {faults} --byzantine {byzantine:g}"
    again += f" --epoch-heights {epoch_heights}" if epoch_heights else ""
    again += " --market" if market else ""
    began = time.monotonic()
    report = run_campaign(
        range(first_seed, first_seed + seeds),
        scenario,
        processes=processes or os.cpu_count() or 1,
        hear=lambda run: _tell(run, again),
    )
    figures = _figures(report, time.monotonic() - began)
    if as_json:
        print_json(figures)
    else:
        print_pairs((name.replace("_", " "), _text(value)) for name, value in figures.items())
    if report.failing_seeds:
        context.exit(Exit.REFUSED)


COMMANDS: Final = (simulate,)


def _tell(run: Run, again: str) -> None:
    """Say on stderr how a seed went, and for a failing one how to see it again."""
    click.echo(
        f"seed {run.seed}: {run.blocks} blocks, {run.messages} messages, {run.crashes} crashes",
        err=True,
    )
    if not run.is_good:
        for what in run.wrongs:
            click.echo(f"  {what}", err=True)
        click.echo(f"  again: {again} --seeds 1 --first-seed {run.seed}", err=True)


def _figures(report: Report, seconds: float) -> dict[str, int | float | list[int] | list[str]]:
    """Return what programs read; the names are part of the command's promise."""
    return {
        "seeds": len(report.seeds),
        "first_seed": report.seeds[0],
        "last_seed": report.seeds[-1],
        "blocks": report.blocks,
        "crashes": report.crashes,
        "messages": report.messages,
        "malformed": report.malformed,
        "evidence": report.evidence,
        "forks": report.forks,
        "stalls": report.stalls,
        "honest_punished": report.honest_punished,
        "broken_invariants": list(report.broken_invariants),
        "failing_seeds": list(report.failing_seeds),
        "seconds": round(seconds, 3),
        "node_seconds_per_second": round(report.simulated_ms / 1_000 / max(seconds, 1e-3)),
    }


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
