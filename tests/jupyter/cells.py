"""Cells as a notebook runs them: their functions belong to ``__main__`` and have lines to show."""

import linecache
from collections.abc import Callable
from itertools import count
from textwrap import dedent
from typing import Any

_NUMBERS = count()

Function = Callable[..., Any]


def run_cell(source: str) -> dict[str, Any]:
    """Run a cell and return the names that it defined."""
    text = dedent(source)
    name = f"<cell {next(_NUMBERS)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, name, "exec"), names)  # noqa: S102 (the way a kernel runs a cell)
    return names
