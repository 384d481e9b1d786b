"""What a command prints: a table for people, or JSON for programs."""

from collections.abc import Iterable, Sequence
from typing import Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WHOLE: Final = frozenset({"account"})
"""A table with one of these is copied from: never cut, however narrow the terminal."""

_WIDE: Final = 1000


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


def print_finding(name: str, text: str, remedy: str) -> None:
    """Print what is amiss, and below it what to do about it."""
    click.echo(f"{name}: {printable(text)}")
    if remedy:
        click.echo(f"  -> {printable(remedy)}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print a table, or ``empty`` when it would have no rows."""
    if not rows:
        click.echo(empty)
        return
    is_whole = not _WHOLE.isdisjoint(columns)
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=is_whole)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=_WIDE if is_whole else None).print(table)


def printable(text: str) -> str:
    """Return a stranger's text without what could drive a terminal: control characters."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
