"""``lc-node light``: facts about a chain, proved by asking other people's nodes; none runs here."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from lc_node.api.light import LightClient, connect
from lc_node.api.light_errors import NotSettled
from lc_node.api.light_schema import Freshness, Proof, ProvenJob, ProvenResult
from lc_node.chain.codec import encode
from lc_node.cli.options import home_at, home_option, json_option
from lc_node.cli.output import print_json, print_pairs
from lc_node.cli.wording import credits_text, loss_text

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What ``job`` answers in JSON."""

    job: ProvenJob
    result: ProvenResult | None


@click.group()
def light() -> None:
    """Prove facts about a chain by asking other nodes; none has to run, or be trusted, here."""


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say whom to ask and what to begin with."""

    @click.option(
        "--node",
        "nodes",
        multiple=True,
        required=True,
        metavar="PLACE",
        help="Whom to ask: tcp://KEY@HOST:PORT, or a join line. Repeatable: they are compared.",
    )
    @click.option("--genesis", type=_FILE, help="The graph's genesis file, to begin with.")
    @click.option("--checkpoint", type=_FILE, help="Somebody's checkpoint, to begin with.")
    @click.option("--trust-old", is_flag=True, help="Trust what is older than bonds last.")
    @home_option
    @wraps(command)
    def with_client(  # one argument an option
        *arguments: Any,
        nodes: tuple[str, ...],
        genesis: Path | None,
        checkpoint: Path | None,
        trust_old: bool,
        home: Path | None,
        **options: Any,
    ) -> None:
        client = connect(
            nodes,
            genesis=genesis,
            checkpoint=checkpoint,
            folder=home_at(home).path / "light",
            trust_old=trust_old,
        )
        command(client, *arguments, **options)

    return with_client


@light.command()
@_asking
@json_option
def status(client: LightClient, *, as_json: bool) -> None:
    """The newest final block."""
    found = client.chain()
    if as_json:
        print_json(found)
    else:
        print_pairs(_proof(found.proof))


@light.command()
@click.argument("address")
@_asking
@json_option
def balance(client: LightClient, address: str, *, as_json: bool) -> None:
    """The credits of the account ADDRESS."""
    found = client.balance(address)
    if as_json:
        print_json(found)
        return
    print_pairs(
        (
            ("account", found.address),
            ("balance", f"{credits_text(found.balance)} credits"),
            ("bonded", f"{credits_text(found.bonded)} credits"),
            ("unbonding", f"{credits_text(found.unbonding)} credits"),
            ("banned", "yes" if found.is_banned else ""),
            *_proof(found.proof),
        )
    )


@light.command()
@click.argument("job_id", metavar="JOB")
@_asking
@json_option
def job(client: LightClient, job_id: str, *, as_json: bool) -> None:
    """The job whose whole id is JOB, and its result once it has one."""
    found = client.job(job_id)
    try:
        result = client.result(job_id)
    except NotSettled:
        result = None
    if as_json:
        print_json(_Told(job=found, result=result))
        return
    print_pairs(
        (
            ("job", found.job),
            ("name", found.title),
            ("posted by", found.submitter),
            ("phase", found.phase.value),
            ("bounty", f"{credits_text(found.bounty)} credits"),
            ("bids", f"{found.bids}, best loss {loss_text(found.best_loss)}"),
            *(() if result is None else _result(result)),
            *_proof(found.proof),
        )
    )


@light.command()
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@_asking
def checkpoint(client: LightClient, output: Path) -> None:
    """Write what is proved now to OUTPUT, for others who trust you to begin with."""
    proof = client.chain().proof
    output.write_bytes(encode(client.checkpoint()))
    click.echo(f"Wrote {output}: epoch {proof.epoch}, height {proof.height}.")


def _result(result: ProvenResult) -> tuple[tuple[str, str], ...]:
    return (
        ("winner", result.winner),
        ("loss", f"{loss_text(result.loss)} ({result.label})"),
        ("model", f"{result.model}, {result.model_bytes} bytes"),
    )


def _proof(proof: Proof) -> tuple[tuple[str, str], ...]:
    """Return what a proof rests on; what is amiss is said last."""
    others = proof.servers - 1
    is_fresh = proof.freshness is Freshness.FRESH
    return (
        ("chain", proof.chain_id[:16]),
        ("proved at", f"height {proof.height}, epoch {proof.epoch}, by {proof.server}"),
        ("agreeing", f"{proof.agreeing} of {others} other nodes" if others else ""),
        ("beware", "" if is_fresh else _BEWARE[proof.freshness]),
        ("beware", "begun with what is older than bonds last" if proof.is_trust_old else ""),
    )


_BEWARE: Final = {
    Freshness.STALE: "no newer block was shown for a while: the chain halts, or the node hides it",
    Freshness.AHEAD: "the block is from the future: set this machine's clock",
}

COMMANDS: Final[tuple[click.Command, ...]] = (light,)
