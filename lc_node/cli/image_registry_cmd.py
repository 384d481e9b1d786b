"""``lc-node image pull`` and ``push``: from and to registries."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import click

from lc_node.api import calls
from lc_node.api.errors import ApiError
from lc_node.cli.images import find_image, pulling_text
from lc_node.cli.options import connect, home_option, json_option
from lc_node.cli.output import print_json, printable
from lc_node.cli.wording import bytes_text

_LOOK_SECONDS: Final = 0.5
_REFERENCE: Final = "reference"


@click.command()
@click.argument(_REFERENCE)
@home_option
@json_option
def pull(reference: str, home: Path | None, *, as_json: bool) -> None:
    """Bring the image of REFERENCE here from its registry, and keep it under that name.

    REFERENCE is HOST/NAME[:TAG][@DIGEST], read as Docker reads it. After a break the same command goes on where it was.
    """
    with connect(home) as client, _told_of_pulls(home):
        found = client.call(calls.PullImage(reference=reference))
    if as_json:
        print_json(found)
        return
    size = bytes_text(found.total_bytes)
    click.echo(f"sha256:{found.image}: {found.layers} layers, {size}, kept as {found.names[-1]}")


@click.command()
@click.argument("image")
@click.argument(_REFERENCE)
@home_option
@json_option
def push(image: str, reference: str, home: Path | None, *, as_json: bool) -> None:
    """Bring IMAGE of this node to a registry, as REFERENCE; what is there already is not sent."""
    with connect(home) as client:
        found = find_image(client, image)
        pushed = client.call(calls.PushImage(image=found.image, reference=reference))
    if as_json:
        print_json(pushed)
        return
    click.echo(f"Pushed sha256:{pushed.image} as {reference}, {bytes_text(pushed.total_bytes)}.")


@contextmanager
def _told_of_pulls(home: Path | None) -> Iterator[None]:
    """Tell somebody at a terminal how far pulls are, while the body runs."""
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    # Its own connection, and no obstacle to Ctrl-C.
    teller = threading.Thread(target=_tell, args=(home, over), daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        click.echo("\r\x1b[K", nl=False, err=True)


def _tell(home: Path | None, over: threading.Event) -> None:
    with suppress(ApiError), connect(home) as client:
        while not over.wait(_LOOK_SECONDS):
            pulled = [each for each in client.call(calls.GetImages()) if each.is_pulled_now]
            text = ", ".join(f"{each.names[0]}: {pulling_text(each)}" for each in pulled)
            click.echo(f"\r\x1b[K{printable(text)}", nl=False, err=True)


COMMANDS: Final[tuple[click.Command, ...]] = (pull, push)
