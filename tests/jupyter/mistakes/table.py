"""The mistakes that are made most: what somebody does, and the message word for word; files of TOML beside this one."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

NAMES: Final = ("options", "cell", "check", "jobs", "node", "terminal")
"""The sections, in the order of the page."""

COMMAND: Final = "lc-node "
_WHAT_VARIES: Final = {
    "address": r"lc1\w+",
    "folder": r"\S+",
    "id": r"[0-9a-f]+",
    "jobs": r".+",
    "number": r"[\d.,]+",
    "rule": r"[a-z ]+",
    "size": r"[\d.]+ GiB",
    "time": r"[\dhmsin ]+",
}
_HOLE: Final = re.compile(r"<([a-z]+)>")


class Mistake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One mistake; words in angle brackets stand for what is another one each time."""

    what: str
    does: str
    """A cell, or a command line."""
    says: str = ""
    """The message; the cell or the command fails."""
    hears: str = ""
    """What is said beside other things, where nothing fails."""
    given: str = "a node"
    """A situation that the stage knows."""
    note: str = ""
    """What to know besides, on the page alone."""

    @property
    def message(self) -> str:
        """What is read."""
        return self.says or self.hears

    @property
    def is_in_notebook(self) -> bool:
        """Whether it happens in a cell."""
        return not self.does.startswith(COMMAND)


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Mistakes of one kind."""

    title: str
    mistake: tuple[Mistake, ...]


def read_sections() -> Iterator[Section]:
    """Yield the whole table."""
    for name in NAMES:
        text = Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8")
        yield msgspec.convert(tomllib.loads(text), Section)


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the values of this run in its holes, as far as they are known."""
    return _HOLE.sub(lambda hole: values.get(hole[1], hole[0]), text.strip("\n"))


def pattern_of(message: str, values: Mapping[str, str]) -> re.Pattern[str]:
    """Return what a message must match: word for word, but for what varies."""
    pieces = _HOLE.split(filled(message, values))
    words = (
        _WHAT_VARIES.get(piece, f"<{piece}>") if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )
    return re.compile("".join(words))
