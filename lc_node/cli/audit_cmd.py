"""``lc-node audit``: the whole chain replayed from genesis, and every credit accounted for."""

import sys
from pathlib import Path
from typing import Final

import click

from lc_node.chain.types import Height
from lc_node.cli.options import home_at, home_option, json_option
from lc_node.cli.output import print_json, print_pairs, print_table
from lc_node.cli.wording import credits_text
from lc_node.runtime.audit_report import Audit
from lc_node.runtime.auditing import audit_home

_TOLD_EVERY: Final = 1_000


@click.command()
@click.option("--accounts", is_flag=True, help="Say of each account where its credits came from.")
@home_option
@json_option
def audit(home: Path | None, *, accounts: bool, as_json: bool) -> None:
    """Replay this home's chain and check everything: blocks, certificates, states, credits.

    The node may run meanwhile; nothing is written. The first block that does not hold is named.
    """
    found = audit_home(home_at(home), _progress)
    if as_json:
        print_json(found)
        return
    print_pairs(_summary(found))
    click.echo()
    rows = [(cause, credits_text(amount)) for cause, amount in found.causes.items()]
    print_table(("all accounts", "credits"), rows, empty="No credits.")
    if accounts:
        _print_accounts(found)


def _summary(found: Audit) -> tuple[tuple[str, str], ...]:
    burned = sum(found.burned.values())
    reasons = ", ".join(f"{credits_text(n)} {why}" for why, n in found.burned.items())
    total = found.owned + found.held + burned
    return (
        ("chain", f"{found.graph} {found.chain_id[:16]}"),
        ("height", str(found.height)),
        ("replayed", f"{found.blocks} blocks, {found.transactions} transactions"),
        ("epochs", f"{found.epochs} ended"),
        ("signatures", f"{found.votes} on {found.certificates} certificates"),
        ("genesis", f"{credits_text(found.genesis)} credits"),
        ("issued", f"{credits_text(found.issued)} credits"),
        ("owned", f"{credits_text(found.owned)} credits by {len(found.accounts)} accounts"),
        ("held", f"{credits_text(found.held)} credits by jobs"),
        ("burned", f"{credits_text(burned)} credits" + (f" ({reasons})" if reasons else "")),
        ("sum", f"{credits_text(total)} = genesis + issued: every credit is accounted for"),
    )


def _print_accounts(found: Audit) -> None:
    for one in found.accounts:
        click.echo(f"\n{one.address}")
        rows = [(f"  {cause}", credits_text(amount)) for cause, amount in one.causes.items()]
        owned = one.balance + one.bonded + one.unbonding
        print_pairs((*rows, ("  = owned, also what is bonded", credits_text(owned))))


def _progress(height: Height, tip: Height) -> None:
    if height % _TOLD_EVERY == 0 and sys.stderr.isatty():
        click.echo(f"\r{height} of {tip} blocks", nl=False, err=True)


COMMANDS: Final[tuple[click.Command, ...]] = (audit,)
