"""A command of ours that does not exist is told before its cell runs, with the one that was probably meant."""

import ast
from collections.abc import Callable, Iterable
from typing import Final

from IPython.core.error import InputRejected

from lc_jupyter.terms import did_you_mean

_CALLS: Final = {"run_line_magic": "%", "run_cell_magic": "%%"}
"""What IPython makes of a magic, and how it is typed."""

_OURS: Final = "lc_"


class UnknownCommand(InputRejected):
    """There is no such command."""

    def _render_traceback_(self) -> list[str]:
        """Serve IPython, which shows these lines in place of a traceback."""
        return [f"UsageError: {self}"]


class MistypedCommands(ast.NodeTransformer):
    """Looks at each cell that is about to run; changes nothing."""

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        """Know what there is by ``names``, such as ``%lc_wait`` and ``%%lc_submit``."""
        self._names = names

    def visit_Call(self, node: ast.Call) -> ast.AST:  # named by the standard library
        """Refuse the call of a magic of ours that there is not.

        Raises:
            UnknownCommand: it is one.
        """
        match node:
            case ast.Call(
                func=ast.Attribute(attr=attr), args=[ast.Constant(value=str(name)), *_]
            ) if attr in _CALLS and name.startswith(_OURS):
                self._validate(_CALLS[attr] + name)
            case _:
                pass
        return self.generic_visit(node)

    def _validate(self, typed: str) -> None:
        known = frozenset(self._names())
        if typed.lstrip("%") not in {name.lstrip("%") for name in known}:
            suggestion = did_you_mean(typed, known) or "; Tab behind %lc_ lists all"
            message = f"There is no {typed}{suggestion}"
            raise UnknownCommand(message)
