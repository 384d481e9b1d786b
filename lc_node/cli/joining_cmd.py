"""``lc-node invite`` and ``join``: how other machines come to be on this node's graph."""

import secrets
import time
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from lc_node.chain.addresses import decode_address
from lc_node.chain.genesis import Genesis
from lc_node.chain.params import DAY_MS
from lc_node.chain.types import Millis, PublicKey
from lc_node.cli.life import live
from lc_node.cli.options import (
    home_at,
    home_option,
    json_option,
    made_home,
    passphrase_option,
    unlock,
)
from lc_node.cli.output import print_json
from lc_node.runtime.arrival import Wishes, arrive
from lc_node.runtime.home import Home
from lc_node.runtime.inviting import bootstraps_of, invited, join_line
from lc_node.runtime.joining import Newcomer
from lc_node.wire.join_line import BadJoinLine, JoinLine, Pass, read_join_line, write_join_line


class Line(click.ParamType[JoinLine, str]):
    """A join line."""

    name = "line"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> JoinLine:
        """Read it, or say what is wrong with it."""
        if isinstance(value, JoinLine):
            return value
        try:
            return read_join_line(value)
        except BadJoinLine as error:
            self.fail(str(error), param, ctx)


LINE: Final = Line()


class Printed(msgspec.Struct, frozen=True, kw_only=True):
    """What ``invite --json`` prints."""

    line: str
    graph: str
    chain_id: str
    until: int | None
    """When the invitation ends, in ms since 1970; null for a public graph."""


@click.command()
@click.option(
    "--at",
    "places",
    multiple=True,
    metavar="HOST[:PORT]",
    help="Where others reach this node [default: this machine's addresses]. Repeatable.",
)
@click.option(
    "--for", "guest", metavar="ADDRESS", help="On a private graph: good for this node only."
)
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="On a private graph: how long the invitation holds.",
)
@home_option
@passphrase_option
@json_option
def invite(  # one argument an option
    *,
    places: tuple[str, ...],
    guest: str | None,
    days: int,
    home: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Print one line by which another machine joins this node's graph (`lc-node run --join LINE`).

    On a private graph the line is an invitation as well: whoever has it may join, unless it is --for
    somebody.
    """
    place = home_at(home)
    genesis = place.genesis()
    if guest is not None and not genesis.params.is_private:
        message = (
            f"graph {genesis.graph} is public: anybody may join by the line; leave out --for."
        )
        raise click.UsageError(message)
    pass_ = (
        _pass(place, genesis, guest, days, passphrase_file) if genesis.params.is_private else None
    )
    line = join_line(genesis, bootstraps_of(place, places), pass_)
    printed = Printed(
        line=write_join_line(line),
        graph=line.graph,
        chain_id=line.chain_id.hex(),
        until=None if pass_ is None else pass_.invitation.until,
    )
    if as_json:
        print_json(printed)
    else:
        click.echo(printed.line)


@click.command()
@click.argument("line", type=LINE)
@home_option
@passphrase_option
def join(line: JoinLine, home: Path | None, passphrase_file: Path | None) -> None:
    """Make this home one of the graph that LINE names; `lc-node run` then needs nothing more."""
    place = made_home(home, passphrase_file)
    newcomer = Newcomer(home=place, keystore=unlock(place, passphrase_file), config=place.config())

    async def body() -> None:
        """Come to be on the graph, and do what was asked."""
        genesis = await arrive(newcomer, Wishes(line=line))
        click.echo(f"{place.path} is on graph {genesis.graph}. Next: `lc-node run`.")

    live(body)


def _pass(
    place: Home, genesis: Genesis, guest: str | None, days: int, passphrase_file: Path | None
) -> Pass:
    keystore = unlock(place, passphrase_file)
    until = Millis(time.time_ns() // 1_000_000 + days * DAY_MS)
    if keystore.public_key not in {account.key for account in genesis.accounts}:
        click.echo(
            "Note: the genesis document does not name this node, so its invitations hold only while it has "
            "a bond.",
            err=True,
        )
    key: PublicKey | None = None if guest is None else decode_address(guest)
    return invited(keystore, genesis, key, until, seed=secrets.token_bytes(32))


COMMANDS: Final[tuple[click.Command, ...]] = (invite, join)
