"""What a command prints: a table for people, or JSON for programs."""

from collections.abc import Iterable, Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_json(value: object) -> None:
    """Print a record, or several, as JSON."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_json_line(value: object) -> None:
    """Print a record as one line of JSON, at once."""
    click.echo(msgspec.json.encode(value).decode())


def print_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each, aligned; a value is never cut, so that it can be copied."""
    kept = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in kept), default=0)
    for name, value in kept:
        click.echo(f"{name:<{width}}  {printable(value)}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print a table, or ``empty`` when it would have no rows."""
    if not rows:
        click.echo(empty)
        return
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console().print(table)


def printable(text: str) -> str:
    """Return a stranger's text without what could drive a terminal: control characters."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
