"""``lc-node run``: the node itself; ``doctor``: whether it could run here."""

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Final

import click
from msgspec.structs import replace

from lc_node.cli.exits import Exit
from lc_node.cli.logs import log_to_stderr
from lc_node.cli.options import home_at, home_option, passphrase_option, unlock
from lc_node.cli.output import print_json
from lc_node.runtime.conduct import CONDUCTS, conduct_for
from lc_node.runtime.diagnosis import Diagnosis, diagnose
from lc_node.runtime.node import Node, Settings

READY: Final = "ready"
"""The line on stdout after which calls are answered."""


@click.command()
@home_option
@passphrase_option
@click.option(
    "--no-work", is_flag=True, help="Follow, validate and serve notebooks; train nothing."
)
@click.option(
    "--until-eof", is_flag=True, hidden=True, help="Stop when stdin ends: a child of the demo."
)
@click.option("--conduct", type=click.Choice(list(CONDUCTS)), default="honest", hidden=True)
def run(
    home: Path | None,
    passphrase_file: Path | None,
    conduct: str,
    *,
    no_work: bool,
    until_eof: bool,
) -> None:
    """Run the node until it is stopped (Ctrl-C, SIGTERM)."""
    place = home_at(home)
    config = place.config()
    if no_work:
        config = replace(config, work=replace(config.work, work=False))
    log_to_stderr(config.log)
    keystore, genesis = unlock(place, passphrase_file), place.genesis()
    settings = Settings(
        home=place,
        keystore=keystore,
        config=config,
        genesis=genesis,
        decide=conduct_for(conduct, genesis),
    )
    asyncio.run(_live(settings, until_eof=until_eof))


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


async def _live(settings: Settings, *, until_eof: bool) -> None:
    # The signals first: opening a long chain takes a moment, and must not be cut off half-way.
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None, "asyncio.run makes a task"
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), lambda: _cancel_at_end(task))
    try:
        node = Node.open(settings)
        await node.run(lambda: click.echo(READY))
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped")
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended the node, out of the groups its tasks wrapped it in."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _cancel_at_end(task: "asyncio.Task[None]") -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        task.cancel()


def _print_diagnosis(found: Diagnosis) -> None:
    for check in found.checks:
        click.echo(f"{'ok     ' if check.is_fine else 'PROBLEM'} {check.name}: {check.text}")
