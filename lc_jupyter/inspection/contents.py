"""What was read in a model's file: names with what belongs to them, never a value that could run."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lc_jupyter.errors import UserError

ROWS_MAX: Final = 1_000
"""More names than these are counted, not kept."""

_NAME_CHARS_MAX: Final = 120

Row = tuple[str, ...]


class Unreadable(UserError):
    """A file does not hold what its format asks for."""

    def __init__(self, model_format: str, why: str) -> None:
        """Name the format and what is wrong."""
        super().__init__(f"The file is no {model_format}: {why}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a model's file holds."""

    what: str
    """One sentence."""
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    """At most ``ROWS_MAX``."""
    left_out: int = 0
    """How many rows there are beyond them."""
    params: tuple[tuple[str, str], ...] = ()
    """What the trial was given, where the file says it."""
    warning: str = ""
    """Why it is not to be loaded light-heartedly; empty if there is no reason."""


def keep_rows(rows: Iterable[Row]) -> tuple[tuple[Row, ...], int]:
    """Return the rows that are kept, and how many are left out."""
    found = iter(rows)
    kept = tuple(islice(found, ROWS_MAX))
    return kept, sum(1 for _ in found)


def clean(text: object) -> str:
    """Return a stranger's text in one line of printable characters, not too long."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))
    return shown if len(shown) <= _NAME_CHARS_MAX else shown[: _NAME_CHARS_MAX - 1] + "…"


def show_shape(shape: Iterable[object]) -> str:
    """Return the lengths of an array's axes; ``one number`` where it has none."""
    return " × ".join(clean(length) for length in shape) or "one number"


def count(number: int, what: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {what}" + ("" if number == 1 else "s")
