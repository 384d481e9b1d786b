"""``lc-node wallet``, ``send``, ``bond``, ``unbond``: the node's credits."""

from pathlib import Path
from typing import Final

import click

from lc_node.api import calls, schema
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_json, print_pairs, print_table
from lc_node.cli.waiting import until_final
from lc_node.cli.wording import CREDITS, credits_text


@click.command()
@click.option("--limit", type=click.IntRange(0, 10_000), default=20, show_default=True)
@home_option
@json_option
def wallet(home: Path | None, limit: int, *, as_json: bool) -> None:
    """The node's credits, and what they came from and went to."""
    with connect(home) as client:
        answer = client.call(calls.GetWallet(changes_max=limit))
    if as_json:
        print_json(answer)
        return
    print_pairs(
        (
            ("address", answer.address),
            ("balance", f"{credits_text(answer.balance)} credits"),
            ("bonded", f"{credits_text(answer.bonded)} credits"),
            ("unbonding", f"{credits_text(answer.unbonding)} credits"),
            ("escrowed", f"{credits_text(answer.escrowed)} credits"),
        )
    )
    rows = [
        (str(change.height), credits_text(change.amount), change.code, change.text)
        for change in answer.changes
    ]
    print_table(("height", "credits", "cause", "what happened"), rows, empty="No changes yet.")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("address")
@click.argument("amount", type=CREDITS)
@click.option("--memo", default="", help="At most 64 bytes, for everybody to read.")
@home_option
@json_option
def send(
    address: str, amount: schema.MicroCredits, memo: str, home: Path | None, *, as_json: bool
) -> None:
    """Give AMOUNT credits to the account ADDRESS."""
    transfer = calls.Transfer(to=schema.Address(address), amount=amount, memo=memo)
    with connect(home) as client, until_final():
        receipt = client.call(transfer)
    _done(receipt, f"Sent {credits_text(amount)} credits", as_json=as_json)


@click.command()
@click.argument("amount", type=CREDITS)
@home_option
@json_option
def bond(amount: schema.MicroCredits, home: Path | None, *, as_json: bool) -> None:
    """Put AMOUNT credits at stake from the next epoch: for votes, committees and trust."""
    with connect(home) as client, until_final():
        receipt = client.call(calls.Bond(amount=amount))
    _done(receipt, f"Bonded {credits_text(amount)} credits", as_json=as_json)


@click.command()
@click.argument("amount", type=CREDITS)
@home_option
@json_option
def unbond(amount: schema.MicroCredits, home: Path | None, *, as_json: bool) -> None:
    """Withdraw AMOUNT credits of stake; they are free when the unbonding time has passed."""
    with connect(home) as client, until_final():
        receipt = client.call(calls.Unbond(amount=amount))
    _done(receipt, f"Unbonding {credits_text(amount)} credits", as_json=as_json)


def _done(receipt: schema.Receipt, what: str, *, as_json: bool) -> None:
    if as_json:
        print_json(receipt)
    else:
        click.echo(f"{what} at height {receipt.height}, transaction {receipt.transaction}.")


COMMANDS: Final[tuple[click.Command, ...]] = (wallet, send, bond, unbond)
