"""``lc-node init`` and ``lc-node key``: the node's identity."""

import os
from pathlib import Path
from typing import Final

import click

from lc_node.cli.options import (
    home_at,
    home_option,
    json_option,
    new_passphrase,
    passphrase_option,
    unlock,
)
from lc_node.cli.output import print_json, print_pairs
from lc_node.ports.keystore import KeyMissing
from lc_node.runtime.home import BadIdentityFile, Home, Identity


@click.command()
@home_option
@passphrase_option
@json_option
def init(home: Path | None, passphrase_file: Path | None, *, as_json: bool) -> None:
    """Make a home: a key, its identity file and a config.toml to edit.

    An existing key is never overwritten. Without a passphrase the key lies unencrypted in a file that
    only you can read; whoever reads it owns the node's credits.
    """
    place = home_at(home)
    passphrase = new_passphrase(passphrase_file)
    identity = place.create(passphrase)
    if passphrase is None:
        click.echo("Warning: the key is not encrypted; give --passphrase-file to do so.", err=True)
    _show(identity, place, as_json=as_json)
    if not as_json:
        click.echo(f"\nKeep a copy of {place.key_path}: it is the node's credits and bonds.")
        click.echo(
            "Next: `lc-node run --join LINE`, or with the machines in this room `--graph NAME`."
        )


@click.group()
def key() -> None:
    """Show or export the node's key."""


@key.command()
@home_option
@passphrase_option
@json_option
def show(home: Path | None, passphrase_file: Path | None, *, as_json: bool) -> None:
    """Show the public half: what others need to list this node as a peer or in a genesis document."""
    place = home_at(home)
    if not place.key_path.exists():
        raise KeyMissing(place.key_path)
    try:
        identity = place.identity()
    except BadIdentityFile:  # it can always be derived again
        identity = place.publish_identity(unlock(place, passphrase_file))
    _show(identity, place, as_json=as_json)


@key.command()
@home_option
@passphrase_option
@click.option("--pkcs8", is_flag=True, help="As PKCS #8 PEM, unencrypted; the only format.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A new file, for your eyes alone [default: stdout].",
)
def export(
    home: Path | None, passphrase_file: Path | None, output: Path | None, *, pkcs8: bool
) -> None:
    """Write the private key in the clear, for a backup or another program."""
    if not pkcs8:
        message = "Say --pkcs8: the key leaves its file unencrypted."
        raise click.UsageError(message)
    exported = unlock(home_at(home), passphrase_file).export_pkcs8()
    if output is None:
        click.echo(exported, nl=False)
    else:
        _write_new(output, exported)
        click.echo(f"Written to {output}: whoever reads it owns the node's credits.", err=True)


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that nobody else can read, and that was not there before."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        message = f"{path} cannot be made: {error.strerror}; choose another --output."
        raise click.ClickException(message) from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _show(identity: Identity, place: Home, *, as_json: bool) -> None:
    if as_json:
        print_json(identity)
        return
    print_pairs(
        (
            ("address", identity.address),
            ("transport key", identity.transport_key),
            ("beacon link", identity.link),
            ("key file", str(place.key_path)),
            ("identity file", str(place.identity_path)),
        )
    )


COMMANDS: Final[tuple[click.Command, ...]] = (init, key)
