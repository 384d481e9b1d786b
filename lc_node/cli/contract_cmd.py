"""``lc-node contract check``: an image is tried out against its contract before it costs anything."""

import asyncio
from pathlib import Path
from typing import Any, Final

import click

from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import ModelFormat
from lc_node.chain.types import ByteCount, Seconds
from lc_node.cli.contracts import CONTRACTS, NEGATE_HELP, contract_of
from lc_node.cli.exits import Exit
from lc_node.cli.image_look_cmd import opened_locally, which_option
from lc_node.cli.image_store_cmd import image_argument
from lc_node.cli.options import home_option, json_option, sandbox_wishes
from lc_node.cli.output import print_json, printable
from lc_node.cli.wording import SIZE, SPAN
from lc_node.runtime.contract_check import check_contract
from lc_node.runtime.contract_findings import Item, Verdict
from lc_node.runtime.image_runs import RunTerms

_MILLI: Final = 1000
_SIGNS: Final = {
    Verdict.OK: "ok     ",
    Verdict.NOTE: "note   ",
    Verdict.PROBLEM: "PROBLEM",
    Verdict.SKIPPED: "-      ",
}


@click.group()
def contract() -> None:
    """What an image must do to be a job (docs/CONTRACT.md)."""


@contract.command()
@image_argument
@which_option
@click.option(
    "--contract",
    "contract_name",
    type=click.Choice(CONTRACTS),
    default=CONTRACTS[0],
    show_default=True,
    help="How node and image talk.",
)
@click.option("--negate", is_flag=True, help=NEGATE_HELP)
@click.option(
    "--seconds",
    type=SPAN,
    default="2m",
    show_default=True,
    help="How long to wait for the first model, and for an evaluation.",
)
@click.option("--cpus", type=click.FloatRange(0.001, 1000), default=1.0, show_default=True)
@click.option("--memory", type=SIZE, default="2G", show_default=True)
@click.option("--disk", type=SIZE, default="1G", show_default=True, help="Scratch space of a run.")
@click.option(
    "--model-bytes", type=SIZE, default="100M", show_default=True, help="The largest model."
)
@click.option(
    "--format",
    "model_format",
    type=click.Choice([str(one) for one in ModelFormat]),
    default=str(ModelFormat.RAW),
    show_default=True,
    help="How a model is written.",
)
@home_option
@json_option
def check(
    image: str, which: str, home: Path | None, *, negate: bool, as_json: bool, **terms: Any
) -> Exit:
    """Try IMAGE (a file, or one of the node's) out in the sandbox: a model is trained, and evaluated again and again.

    Needs no running node for a file. The exit code is 1 if there is a problem.
    """
    wanted = RunTerms(
        seconds=Seconds(terms["seconds"]),
        millicpus=max(1, round(terms["cpus"] * _MILLI)),
        memory_bytes=ByteCount(terms["memory"]),
        disk_bytes=ByteCount(terms["disk"]),
        model_bytes_max=ByteCount(terms["model_bytes"]),
        model_format=ModelFormat(terms["model_format"]),
        contract=Contract(contract_of(terms["contract_name"], negate=negate)),
    )
    wishes = sandbox_wishes(home)
    with opened_locally(image, which, home) as found:
        items = asyncio.run(check_contract(found, wanted, wishes))
    has_problem = any(item.verdict is Verdict.PROBLEM for item in items)
    if as_json:
        print_json({"contract": wanted.contract, "fine": not has_problem, "checks": items})
    else:
        _print(items)
    return Exit.REFUSED if has_problem else Exit.OK


def _print(items: tuple[Item, ...]) -> None:
    width = max(len(item.name) for item in items)
    for item in items:
        click.echo(f"{_SIGNS[item.verdict]} {item.name:<{width}}  {printable(item.text)}")
        if item.fix:
            click.echo(f"{'':<{len(_SIGNS[item.verdict]) + width + 3}}to change it: {item.fix}")


COMMANDS: Final[tuple[click.Command, ...]] = (contract,)
