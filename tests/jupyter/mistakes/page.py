"""docs/MISTAKES.md, as the table says it; ``python -m tests.jupyter.mistakes.page`` writes it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tests.jupyter.mistakes.table import Mistake, Section, read_sections

PAGE: Final = Path(__file__).parents[3] / "docs" / "MISTAKES.md"
_BEGINNING: Final = """\
# Ordinary mistakes

What goes wrong most, and what is said then: one short message that names the fix, without a traceback of ours. Nothing is lost by any
of them: a submission that is refused leaves no job, and reserves no credits. `<words>` in angle brackets are others each time.

Every one of them is made in `tests/jupyter/mistakes` in front of a real node, and must end as it is written here. This page is written
from the same table: `make mistakes`.
"""


def page_of(sections: Iterable[Section]) -> str:
    """Return the page."""
    return "\n".join([_BEGINNING, *(_section(section) for section in sections)])


def _section(section: Section) -> str:
    return "\n".join(
        [f"## {section.title}\n", *(_mistake(mistake) for mistake in section.mistake)]
    )


def _mistake(mistake: Mistake) -> str:
    return "\n".join(_lines(mistake))


def _lines(mistake: Mistake) -> Iterator[str]:
    situation = "" if mistake.given == "a node" else f" (given {mistake.given})"
    yield f"**{mistake.what}**{situation}"
    yield f"```{'python' if mistake.is_in_notebook else ''}\n{mistake.does.strip()}\n```"
    yield "\n".join(f"> {line}" for line in _escaped(mistake.message).split("\n")) + "\n"
    if mistake.note:
        yield f"{mistake.note}\n"


def _escaped(text: str) -> str:
    """Return a message as Markdown shows it word for word; two blanks at a line's end keep the line."""
    pieces = text.replace("\n", "  \n").split("`")
    return "`".join(
        piece if number % 2 else piece.replace("<", "\\<") for number, piece in enumerate(pieces)
    )


if __name__ == "__main__":
    PAGE.write_text(page_of(read_sections()), encoding="utf-8")
