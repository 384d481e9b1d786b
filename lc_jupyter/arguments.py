"""What a magic's line says; a slip is answered with what was probably meant."""

import re
import shlex
from argparse import Namespace
from collections.abc import Callable, Collection, Iterable, Iterator
from inspect import signature
from keyword import iskeyword
from typing import Any, Final

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from lc_jupyter.errors import UserError
from lc_jupyter.settings import get_term
from lc_jupyter.terms import did_you_mean

_EXAMPLE: Final = "%%lc_submit --bounty 20 --expires 10m"
_NEGATIVE: Final = re.compile(r"-\d")
_OPTION: Final = re.compile(r"--?[A-Za-z][\w-]*")

Magic = Callable[..., None]


def parse_line(magic: Magic, line: str) -> Namespace:
    """Return what a line says to a magic that is declared with ``magic_arguments``.

    Raises:
        UserError: it says something else than the magic understands.
    """
    known = frozenset(_options_of(magic))
    try:
        words = list(_with_negatives(shlex.split(line), known))
        _validate_options(magic, words, known)
        options: Namespace = magic.parser.parse_args(words)  # type: ignore[attr-defined]  # set by magic_arguments
    except (UsageError, ValueError) as error:
        message = f"{str(error).rstrip('.')}; {_typed(magic)}? explains it."
        raise UserError(message) from None
    return options


def get_bounty_and_expires(values: dict[str, Any]) -> tuple[str, str]:
    """Return the two options that every job needs, as they are written or set.

    Raises:
        UserError: one is missing.
    """
    given = {name: values[name] or get_term(name) for name in ("bounty", "expires")}
    bounty, expires = given["bounty"], given["expires"]
    if not bounty or not expires:
        lacking = " and ".join(f"--{name}" for name, value in given.items() if not value)
        message = f"give {lacking}; write for example {_EXAMPLE}"
        raise UserError(message)
    return bounty, expires


def at_most(words: list[str], count: int, example: str) -> list[str | None]:
    """Return the words, filled up with None in front.

    Raises:
        UserError: there are more than ``count``.
    """
    if len(words) > count:
        message = f"{' '.join(words)!r} is too much; write for example {example}"
        raise UserError(message)
    return [*[None] * (count - len(words)), *words]


def get_home(words: list[str]) -> str | None:
    """Return the home that %lc_connect names, None for the usual one.

    Raises:
        UserError: it names another machine, or several homes.
    """
    [where] = at_most(words, 1, "%lc_connect ~/.local/share/learningchain")
    if where is not None and where.startswith(("tcp://", "lcjoin")):
        message = f"Another machine's node is asked without one here: %lc_connect {where} --light"
        raise UserError(message)
    return where


def get_job_and_last(words: list[str], example: str) -> tuple[str | None, str]:
    """Return a job's id, None for the last one, and the word behind it.

    Raises:
        UserError: there is none, or too much.
    """
    prefix, last = at_most(words, 2, example)
    if last is None:
        message = f"Something is missing; write for example {example}"
        raise UserError(message)
    return prefix, last


def validate_name(name: str, example: str = "%lc_pull model") -> None:
    """Check that something can be put into a variable of that name.

    Raises:
        UserError: it is no name.
    """
    if not name.isidentifier() or iskeyword(name):
        message = f"{name!r} is no variable name; write for example {example}"
        raise UserError(message)


def _with_negatives(words: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """Yield words, an option as one with a negative value behind it: argparse would take ``-5G`` for an option."""
    option = ""
    for word in words:
        if option and _NEGATIVE.match(word):
            yield f"{option}={word}"
            option = ""
            continue
        if option:
            yield option
        option = word if word in known else ""
        if not option:
            yield word
    if option:
        yield option


def _validate_options(magic: Magic, words: list[str], known: frozenset[str]) -> None:
    for word in words:
        name = _OPTION.match(word)
        if name is not None and name[0] not in known:
            suggestion = did_you_mean(name[0], known) or f"; {_typed(magic)}? lists them"
            message = f"{_typed(magic)} has no option {name[0]}{suggestion}"
            raise UserError(message)


def _typed(magic: Magic) -> str:
    """Return a magic's name as it is typed: one that takes a cell has two signs."""
    sign = "%%" if "cell" in signature(magic).parameters else "%"
    return sign + magic.__name__


def _options_of(magic: Magic) -> Iterator[str]:
    for declared in magic.decorators:  # type: ignore[attr-defined]  # set by magic_arguments
        if isinstance(declared, argument):
            yield from (name for name in declared.args if name.startswith("-"))
