"""``lc-node genesis``: make, show and follow the document that a chain begins with."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click
import msgspec

from lc_node.chain.addresses import decode_address, encode_address
from lc_node.chain.codec import encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ByteCount, Digest, Link, MicroCredits, Millis
from lc_node.cli.options import home_at, home_option, json_option
from lc_node.cli.output import print_json, print_pairs, print_table
from lc_node.cli.wording import CREDITS, credits_text
from lc_node.runtime.genesis_builder import PRESETS, Founder, build_genesis
from lc_node.runtime.home import decode_genesis, read_identity

_GIGABYTE: Final = 1_000_000_000
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True)
class _Shares:
    """What follows the colon of --account and --member."""

    balance: MicroCredits
    bonded: MicroCredits


@click.group()
def genesis() -> None:
    """Make, show or follow the document that a chain begins with."""


@genesis.command()
@click.option("--preset", type=click.Choice(sorted(PRESETS)), default="devnet", show_default=True)
@click.option("--graph", default="devnet", show_default=True, help="The network's name.")
@click.option(
    "--member",
    "members",
    multiple=True,
    metavar="FILE:BALANCE:BOND",
    help="A validator, by the identity.json that `lc-node init` made. Repeatable.",
)
@click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ADDRESS:BALANCE[:BOND]",
    help="An account that does not vote from the start. Repeatable.",
)
@click.option("--offer-cpus", default=4, show_default=True, type=click.IntRange(1, 1000))
@click.option("--offer-memory", default=8, show_default=True, help="In GB.")
@click.option("--offer-disk", default=20, show_default=True, help="In GB.")
@click.option(
    "--private", "is_private", is_flag=True, help="Admit only the accounts, and who is invited."
)
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def new(  # noqa: PLR0913  # one argument an option
    *,
    preset: str,
    graph: str,
    members: tuple[str, ...],
    accounts: tuple[str, ...],
    offer_cpus: int,
    offer_memory: int,
    offer_disk: int,
    output: Path,
    is_private: bool,
    as_json: bool,
) -> None:
    """Make a genesis document; everybody who joins the graph needs the same file.

    Amounts are credits. Whoever has a bond offers what the --offer options say.
    """
    offers = Resources(
        millicpus=1000 * offer_cpus,
        memory_bytes=ByteCount(offer_memory * _GIGABYTE),
        disk_bytes=ByteCount(offer_disk * _GIGABYTE),
        gpus=0,
    )
    founders = [_member(text, offers) for text in members]
    founders += [_account(text, offers) for text in accounts]
    if not members:
        message = "Give at least one --member FILE:BALANCE:BOND: somebody must vote."
        raise click.UsageError(message)
    if output.exists():
        message = f"{output} exists; choose another --output."
        raise click.ClickException(message)
    params = msgspec.structs.replace(PRESETS[preset], is_private=is_private)
    made = build_genesis(graph, params, Millis(time.time_ns() // 1_000_000), founders)
    output.write_bytes(encode(made))
    _show(made, as_json=as_json)


@genesis.command()
@click.argument("file", type=_FILE, required=False)
@home_option
@json_option
def show(file: Path | None, home: Path | None, *, as_json: bool) -> None:
    """Show a genesis document: FILE, or the one of the home."""
    document = _read(file) if file else home_at(home).genesis()
    _show(document, as_json=as_json)


@genesis.command()
@click.argument("file", type=_FILE)
@home_option
def use(file: Path, home: Path | None) -> None:
    """Follow the chain that begins with FILE."""
    place = home_at(home)
    name = place.use_genesis(_read(file))
    click.echo(f"{place.path} follows chain {name.hex()}.")


def _read(file: Path) -> Genesis:
    try:
        return decode_genesis(file.read_bytes())
    except MalformedBytes as error:
        message = f"{file} is no genesis document; take the file that `lc-node genesis new` wrote."
        raise click.ClickException(message) from error


def _member(text: str, offers: Resources) -> Founder:
    file, shares = _split(text, "--member")
    identity = read_identity(Path(file))
    if not shares.bonded:
        message = f"--member {text}: a validator needs a bond, as in FILE:100:50."
        raise click.UsageError(message)
    return Founder(
        key=identity.key,
        balance=shares.balance,
        bonded=shares.bonded,
        link=Link(Digest(bytes.fromhex(identity.link))),
        offers=offers,
    )


def _account(text: str, offers: Resources) -> Founder:
    address, shares = _split(text, "--account")
    return Founder(
        key=decode_address(address),
        balance=shares.balance,
        bonded=shares.bonded,
        offers=offers if shares.bonded else None,
    )


def _split(text: str, option: str) -> tuple[str, _Shares]:
    """Return the parts of NAME:BALANCE[:BOND]."""
    name, *amounts = text.split(":")
    if not name or len(amounts) not in {1, 2}:
        message = (
            f"{option} {text}: write NAME:BALANCE:BOND, in credits, as in {name or 'NAME'}:100:50."
        )
        raise click.UsageError(message)
    balance, bonded = (CREDITS.convert(amount, None, None) for amount in (*amounts, "0")[:2])
    return name, _Shares(MicroCredits(balance), MicroCredits(bonded))


def _show(document: Genesis, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(document))
        return
    members = set(document.members)
    print_pairs(
        (
            ("chain", chain_id(document).hex()),
            ("graph", document.graph),
            ("open to", "whom members invite" if document.params.is_private else "anybody"),
            ("accounts", str(len(document.accounts))),
            ("validators", str(len(members))),
        )
    )
    rows = [
        (
            encode_address(account.key),
            credits_text(account.balance),
            credits_text(account.bonded),
            "validator" if account.key in members else "",
        )
        for account in document.accounts
    ]
    print_table(("account", "balance", "bond", ""), rows, empty="")


def _plain(document: Genesis) -> dict[str, object]:
    """Return a document with hexadecimal digits for bytes and addresses for keys."""
    return {
        "chain_id": chain_id(document).hex(),
        "graph": document.graph,
        "time": document.time,
        "params": msgspec.structs.asdict(document.params),
        "accounts": [
            {
                "address": encode_address(account.key),
                "balance": account.balance,
                "bonded": account.bonded,
                "link": account.link[0].hex() if account.link else None,
                "offers": msgspec.structs.asdict(account.resources[0])
                if account.resources
                else None,
            }
            for account in document.accounts
        ],
        "members": [encode_address(key) for key in document.members],
    }


COMMANDS: Final[tuple[click.Command, ...]] = (genesis,)
