"""Options that several commands share, and how they find the home, the node and the passphrase."""

import os
import sys
from pathlib import Path
from typing import Final

import click

from lc_node.api.client import Client
from lc_node.api.endpoint import default_home
from lc_node.api.paths import expand
from lc_node.ports.keystore import Keystore
from lc_node.ports.sandbox import SandboxWishes
from lc_node.runtime.config_file import DEFAULT_CONFIG_TEXT
from lc_node.runtime.home import Home

PASSPHRASE_VARIABLE: Final = "LC_PASSPHRASE_FILE"  # noqa: S105  # where the file is, not what is in it


def _inherited(
    context: click.Context, _option: click.Parameter, value: Path | None
) -> Path | None:
    """Take the home that was named before the command, where none is named after it."""
    if value is None and context.parent is not None:
        inherited: Path | None = context.find_root().params.get("home")
        return inherited
    return value


home_option = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    callback=_inherited,
    help="The node's home [default: $LC_HOME, else ~/.local/share/learningchain].",
)

json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")

passphrase_option = click.option(
    "--passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar=PASSPHRASE_VARIABLE,
    show_envvar=True,
    help="A file whose first line is the key's passphrase.",
)


def home_at(path: Path | None) -> Home:
    """Return the home that was named, or the default one.

    Raises:
        UnusablePath: it would be that of a user who is not there.
    """
    return Home(expand(path or default_home(os.environ)).absolute())


def sandbox_wishes(path: Path | None) -> SandboxWishes:
    """Return which sandbox the home's settings name: the one of a node with that home, whether it runs or not.

    Raises:
        BadConfig: the settings cannot be used.
    """
    named = os.environ.get("LC_NODE")
    return home_at(path or (Path(named) if named else None)).config().sandbox.wishes


def made_home(
    path: Path | None, passphrase_file: Path | None, config_text: str = DEFAULT_CONFIG_TEXT
) -> Home:
    """Return the home that was named, or the default one, with a new key and these settings if it has none."""
    home = home_at(path)
    if not home.key_path.exists():
        passphrase = new_passphrase(passphrase_file)
        identity = home.create(passphrase, config_text=config_text)
        kept = "" if passphrase else ", not encrypted; --passphrase-file would do so"
        click.echo(f"New key {identity.address} in {home.key_path}{kept}.", err=True)
    return home


def connect(path: Path | None) -> Client:
    """Connect to the node of the home that was named, of ``$LC_NODE``, or of the default home.

    Raises:
        NodeUnreachable: none runs there.
    """
    return Client(path)


def unlock(home: Home, passphrase_file: Path | None) -> Keystore:
    """Return a home's key; asks for the passphrase only if there is a terminal to ask at.

    Raises:
        KeyMissing, KeyUnsafe, KeyMalformed, PassphraseMissing, PassphraseWrong: see each.
    """
    passphrase = None
    if home.is_encrypted():
        passphrase = first_line(passphrase_file) if passphrase_file else _asked(confirm=False)
    return home.keystore(passphrase)


def new_passphrase(passphrase_file: Path | None) -> str | None:
    """Return the passphrase for a new key; None, if none is wished, or nobody is there to ask."""
    if passphrase_file is not None:
        return first_line(passphrase_file)
    return _asked(confirm=True) or None


def first_line(path: Path) -> str:
    """Return a passphrase from its file.

    Raises:
        click.BadParameter: it is empty.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0]:
        message = f"{path} is empty: its first line must be the passphrase"
        raise click.BadParameter(message)
    return lines[0]


def _asked(*, confirm: bool) -> str | None:
    """Ask for a passphrase, twice for a new one; None where there is no terminal."""
    if not sys.stdin.isatty():
        return None
    text = "Passphrase (empty: the key is kept unencrypted)" if confirm else "Passphrase"
    answer = _typed(text)
    if confirm and answer and _typed("The same again") != answer:
        message = "The two passphrases differ; try again."
        raise click.UsageError(message)
    return answer


def _typed(text: str) -> str:
    answer: str = click.prompt(text, hide_input=True, default="", show_default=False)
    return answer
