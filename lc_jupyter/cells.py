"""What a submitted cell defines: it runs in the kernel first, so that a typo fails here."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from lc_jupyter.errors import UserError
from lc_jupyter.packaging.imports import (
    codes_within,
    imported_by_code,
    imported_by_text,
    top_level,
)
from lc_jupyter.packaging.snapshot import SnapshotRequest
from lc_jupyter.runner.formats import FORMATS, guess_format

Function = Callable[..., object]


def request_from_cell(shell: InteractiveShell, cell: str, options: Any) -> SnapshotRequest | None:
    """Run the cell and return what to package; None if it raised, which the shell has shown.

    Raises:
        UserError: it does not define what a job needs.
    """
    before = frozenset(sys.modules)
    for name in ("train", "evaluate", "save", "load"):
        shell.user_ns.pop(name, None)
    if not shell.run_cell(cell).success:
        return None
    train, evaluate = _required(shell, "train"), _required(shell, "evaluate")
    save, load = _optional(shell, "save"), _optional(shell, "load")
    new = frozenset(sys.modules) - before
    return SnapshotRequest(
        train=train,
        evaluate=evaluate,
        save=save,
        load=load,
        model_format=options.format or _guess(cell, (train, evaluate), own=load is not None),
        cell=cell,
        new_modules=new,
        with_distributions=tuple(options.with_),
        everything=options.all,
        include=tuple(Path(path) for path in options.include),
        exclude=tuple(options.exclude),
        allowed_secrets=frozenset(options.allow_secret),
    )


def validate_format(name: str) -> None:
    """Check the name of a model format.

    Raises:
        UserError: there is no such format.
    """
    if name not in FORMATS:
        message = f"--format {name!r} is unknown; choose one of {', '.join(FORMATS)}"
        raise UserError(message)


def _required(shell: InteractiveShell, name: str) -> Function:
    function = _optional(shell, name)
    if function is None:
        message = (
            f"The cell defines no function {name!r}. A job needs train(trial), which returns a "
            "model, and evaluate(model), which returns its loss."
        )
        raise UserError(message)
    return function


def _optional(shell: InteractiveShell, name: str) -> Function | None:
    value = shell.user_ns.get(name)
    return value if callable(value) else None


def _guess(cell: str, functions: tuple[Function, ...], *, own: bool) -> str:
    """Guess the model's format from what the cell and its functions import."""
    imported = set(imported_by_text(cell))
    for function in functions:
        code = getattr(function, "__code__", None)
        if code is not None:
            imported |= {name for part in codes_within(code) for name in imported_by_code(part)}
    return guess_format({top_level(name) for name in imported}, own_files=own)
