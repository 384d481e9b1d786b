"""``lc-node run``: the node itself; ``doctor``: whether it could run here."""

import asyncio
import re
from pathlib import Path
from typing import Final

import click
from msgspec.structs import replace

from lc_node.cli.exits import Exit
from lc_node.cli.joining_cmd import LINE
from lc_node.cli.life import live
from lc_node.cli.logs import log_to_stderr
from lc_node.cli.options import home_at, home_option, made_home, passphrase_option, unlock
from lc_node.cli.output import print_json
from lc_node.runtime.arrival import GRAPH_BYTES_MAX, Wishes, arrive
from lc_node.runtime.conduct import CONDUCTS, conduct_for
from lc_node.runtime.config import EXECUTOR_PATTERN
from lc_node.runtime.config_file import ALONE_CONFIG_TEXT, DEFAULT_CONFIG_TEXT
from lc_node.runtime.diagnosis import Diagnosis, diagnose
from lc_node.runtime.joining import Newcomer
from lc_node.runtime.node import Node, Settings
from lc_node.wire.founding import CANDIDATES_MAX, Customs
from lc_node.wire.join_line import JoinLine

_NAME_MAX: Final = 64
READY: Final = "ready"
"""The line on stdout after which calls are answered."""


def graph_name(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Take a name that a genesis document can have, and that can be announced whole."""
    if value is not None and not (
        0 < len(value) <= _NAME_MAX and len(value.encode()) <= GRAPH_BYTES_MAX
    ):
        message = (
            f"a graph's name has 1 to {_NAME_MAX} characters, and at most {GRAPH_BYTES_MAX} bytes"
        )
        raise click.BadParameter(message)
    return value


def executor_address(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> str | None:
    """Take what [work] executor could say."""
    if value is not None and not re.fullmatch(EXECUTOR_PATTERN, value):
        raise click.BadParameter("an executor is local, or dask://HOST:PORT")
    return value


@click.command()
@home_option
@passphrase_option
@click.option(
    "--no-work", is_flag=True, help="Follow, validate and serve notebooks; train nothing."
)
@click.option(
    "--executor",
    callback=executor_address,
    help="Where jobs run: local, or on a Dask cluster: dask://HOST:PORT [default: as in config.toml].",
)
@click.option(
    "--until-eof", is_flag=True, hidden=True, help="Stop when stdin ends: a child of the demo."
)
@click.option("--conduct", type=click.Choice(list(CONDUCTS)), default="honest", hidden=True)
@click.option(
    "--graph",
    callback=graph_name,
    help="On no graph yet: find the one of this name in the room, or found it with all who look for it.",
)
@click.option(
    "--join", "line", type=LINE, help="On no graph yet: join by a line of `lc-node invite`."
)
@click.option(
    "--alone",
    is_flag=True,
    help="On no graph yet: found a private one of your own, on this machine only.",
)
@click.option(
    "--founders",
    type=click.IntRange(1, CANDIDATES_MAX),
    help="With --graph: found it with exactly so many [default: all who are here after a moment].",
)
def run(  # noqa: PLR0913  # one argument an option
    home: Path | None,
    passphrase_file: Path | None,
    conduct: str,
    *,
    no_work: bool,
    executor: str | None,
    until_eof: bool,
    graph: str | None,
    line: JoinLine | None,
    alone: bool,
    founders: int | None,
) -> None:
    """Run the node until it is stopped (Ctrl-C, SIGTERM).

    With --graph, --join or --alone an empty home is enough: a key is made, and the rest comes from other nodes.
    """
    _validate_ways(graph, line, alone=alone)
    is_new = alone or graph is not None or line is not None
    config_text = ALONE_CONFIG_TEXT if alone else DEFAULT_CONFIG_TEXT
    place = made_home(home, passphrase_file, config_text) if is_new else home_at(home)
    config = place.config()
    if no_work:
        config = replace(config, work=replace(config.work, work=False))
    if executor is not None:
        config = replace(config, work=replace(config.work, executor=executor))
    log_to_stderr(config.log)
    newcomer = Newcomer(home=place, keystore=unlock(place, passphrase_file), config=config)
    wishes = Wishes(line=line, graph=graph, customs=Customs(founders=founders), alone=alone)

    async def body() -> None:
        """Come to be on the graph, and do what was asked."""
        genesis = await arrive(newcomer, wishes)
        settings = Settings(
            home=place,
            keystore=newcomer.keystore,
            config=config,
            genesis=genesis,
            decide=conduct_for(conduct, genesis),
        )
        await Node.open(settings).run(lambda: click.echo(READY))

    live(body, until_eof=until_eof)


@click.command()
@click.option("--sandbox", is_flag=True, help="Only whether strangers' code can be isolated here.")
@click.option("--quiet", is_flag=True, help="Say nothing; the exit code says it.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@home_option
def doctor(home: Path | None, *, sandbox: bool, quiet: bool, as_json: bool) -> int:
    """Say whether a node can run here, and what to do where it cannot."""
    found = asyncio.run(diagnose(None if sandbox else home_at(home)))
    if as_json:
        print_json(found)
    elif not quiet:
        _print_diagnosis(found)
    if found.sandbox_problem:
        return Exit.NO_SANDBOX
    return Exit.REFUSED if any(not check.is_fine for check in found.checks) else Exit.OK


COMMANDS: Final = (run, doctor)


def _validate_ways(graph: str | None, line: JoinLine | None, *, alone: bool) -> None:
    """Refuse two ways onto a graph at once."""
    if alone and (graph is not None or line is not None):
        message = "--alone founds a graph of your own; leave --graph and --join out."
        raise click.UsageError(message)


def _print_diagnosis(found: Diagnosis) -> None:
    for check in found.checks:
        click.echo(f"{'ok     ' if check.is_fine else 'PROBLEM'} {check.name}: {check.text}")
