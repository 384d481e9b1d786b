"""What a magic's line says; a slip is answered with what was probably meant."""

import re
import shlex
from argparse import Namespace
from collections.abc import Callable, Iterator
from inspect import signature
from typing import Final

from IPython.core.error import UsageError
from IPython.core.magic_arguments import argument

from lc_jupyter.errors import UserError
from lc_jupyter.terms import did_you_mean

_OPTION: Final = re.compile(r"--?[A-Za-z][\w-]*")

Magic = Callable[..., None]


def parse_line(magic: Magic, line: str) -> Namespace:
    """Return what a line says to a magic that is declared with ``magic_arguments``.

    Raises:
        UserError: it says something else than the magic understands.
    """
    known = frozenset(_options_of(magic))
    try:
        words = shlex.split(line)
        _validate_options(magic, words, known)
        options: Namespace = magic.parser.parse_args(words)  # type: ignore[attr-defined]  # set by magic_arguments
    except (UsageError, ValueError) as error:
        message = f"{str(error).rstrip('.')}; {_typed(magic)}? explains it."
        raise UserError(message) from None
    return options


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
