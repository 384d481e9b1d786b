"""The ordinary mistakes, made in front of a real node: each is one short message that names the fix."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from lc_jupyter.session import LearningChain
from tests.jupyter.mistakes.page import PAGE, page_of
from tests.jupyter.mistakes.stage import Stage, standing
from tests.jupyter.mistakes.table import Mistake, filled, pattern_of, read_sections
from tests.jupyter.shells import Shell

SECTIONS: Final = tuple(read_sections())
MISTAKES: Final = tuple(mistake for section in SECTIONS for mistake in section.mistake)
COUNT_MIN: Final = 40
LINES_MAX: Final = 3
CHARACTERS_MAX: Final = 320
OURS: Final = ("lc_jupyter/", "lc_jupyter.", "lc_node/", "lc_node.", "/lc/runner", "site-packages")
"""What a message, or what stands above it, must not show: where we are at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a mistake has ended."""

    message: str
    shows: tuple[str, ...] = ()
    """What of ours is to be seen."""
    lost: tuple[int, ...] = (0, 0, 0)
    """Credits, escrow and jobs that it has changed."""


@pytest.fixture(scope="module")
def stage(layers: Path) -> Iterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(layers))
        with standing() as started:
            yield started


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:can't resolve package:ImportWarning")  # and then it raises
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_ends_as_its_one_message_and_costs_nothing(
    mistake: Mistake,
    stage: Stage,
    notebook: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = stage.possessions()
    with stage.given(mistake.given, tmp_path, monkeypatch):
        message, shown = _made(mistake, stage, notebook, tmp_path)
    changed = tuple(old - new for old, new in zip(before, stage.possessions(), strict=True))
    is_said = pattern_of(mistake.message, stage.values).fullmatch(message) is not None

    assert Ended(
        message=mistake.message if is_said else message,
        shows=tuple(words for words in OURS if words in shown),
        lost=changed,
    ) == Ended(message=mistake.message), shown


def test_the_list_is_long_and_most_of_it_happens_in_notebooks() -> None:
    in_notebook = [mistake for mistake in MISTAKES if mistake.is_in_notebook]

    assert len(MISTAKES) >= COUNT_MIN
    assert len(in_notebook) > len(MISTAKES) / 2


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_message_is_short(mistake: Mistake) -> None:
    assert mistake.message.count("\n") < LINES_MAX
    assert len(mistake.message) <= CHARACTERS_MAX


def test_the_page_shows_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page_of(SECTIONS), "run `make mistakes`"


def _made(mistake: Mistake, stage: Stage, notebook: Shell, folder: Path) -> tuple[str, str]:
    """Make a mistake; return its message, and all that is to be seen."""
    doing = filled(mistake.does, stage.values)
    if not mistake.is_in_notebook:
        message = stage.command(doing, folder)
        return message, message
    ran = notebook.run(doing)
    _close(notebook)
    if not ran.ok and ran.err:
        return ran.err.strip().removeprefix("UsageError: "), ran.out + ran.err
    # What functions raise, and what is refused before a cell runs, is told on stdout, among other things.
    found = pattern_of(mistake.message, stage.values).search(ran.out)
    return found[0] if found else ran.out, ran.out


def _close(notebook: Shell) -> None:
    """Close the connection that a cell has called ``lc``, as the end of its kernel would."""
    match notebook.names.get("lc"):
        case LearningChain() as connected:
            connected.close()
        case _:
            pass
