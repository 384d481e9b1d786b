"""A command of ours that cannot be meant as it stands is told before its cell runs, with what was probably meant."""

import ast
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from IPython.core.error import InputRejected

from lc_jupyter.terms import did_you_mean

_CALLS: Final = {"run_line_magic": "%", "run_cell_magic": "%%"}
"""What IPython makes of a magic, and how it is typed."""

_OURS: Final = "lc_"


class MistypedCommand(InputRejected):
    """There is no such command, or nothing that it could act on."""

    def _render_traceback_(self) -> list[str]:
        """Serve IPython, which shows these lines in place of a traceback."""
        return [f"UsageError: {self}"]


class MistypedCommands(ast.NodeTransformer):
    """Looks at each cell that is about to run; changes nothing."""

    def __init__(self, names: Callable[[], Iterable[str]]) -> None:
        """Know what there is by ``names``, such as ``%lc_wait`` and ``%%lc_submit``."""
        self._names = names

    def visit_Call(self, node: ast.Call) -> ast.AST:  # named by the standard library
        """Refuse the call of a magic of ours that there is not, or that has an empty cell.

        Raises:
            MistypedCommand: it is one, or one for a cell that is empty.
        """
        match node:
            case ast.Call(
                func=ast.Attribute(attr=attr), args=[ast.Constant(value=str(name)), *rest]
            ) if attr in _CALLS and name.startswith(_OURS):
                self._validate(_CALLS[attr] + name)
                _validate_cell(name, rest)
            case _:
                pass
        return self.generic_visit(node)

    def _validate(self, typed: str) -> None:
        known = frozenset(self._names())
        if typed.lstrip("%") not in {name.lstrip("%") for name in known}:
            ours = [name for name in known if name.lstrip("%").startswith(_OURS)]
            is_cut = typed.lstrip("%") == _OURS
            suggestion = (
                "" if is_cut else did_you_mean(typed, ours)
            ) or "; Tab behind %lc_ lists all"
            message = f"There is no {typed}{suggestion}"
            raise MistypedCommand(message)


def _validate_cell(name: str, rest: Sequence[ast.expr]) -> None:
    """Check that a magic for cells has one: IPython would ask whether the one for lines was meant."""
    match rest:
        case [_, ast.Constant(value=str(cell))] if not cell.strip():
            message = (
                f"%%{name} takes the lines below it, and there are none: define train(trial) and "
                "evaluate(model) in the same cell."
            )
            raise MistypedCommand(message)
        case _:
            pass
