"""The functions of a job, and what can be told of them before anything is packaged."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from lc_jupyter.errors import UserError
from lc_jupyter.packaging.capture import modules_named
from lc_jupyter.packaging.imports import imported_by_text, top_level
from lc_jupyter.runner.formats import FORMATS, guess_format

Function = Callable[..., object]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFunctions:
    """What a submitter wrote, and the cell it stood in, if any."""

    train: Function
    evaluate: Function
    save: Function | None = None
    load: Function | None = None
    predict: Function | None = None
    cell: str = ""
    new_modules: frozenset[str] = frozenset()
    """Modules that the cell was the first to import."""

    def guess_format(self) -> str:
        """Return the format that its models will most likely need, from the modules that it uses."""
        named = imported_by_text(self.cell) | modules_named((self.train, self.evaluate))
        modules = {top_level(name) for name in named}
        return guess_format(modules, own_files=self.load is not None)


def validate_functions(functions: JobFunctions) -> None:
    """Check that each can be called the way a job calls it.

    Raises:
        UserError: one takes other arguments, or ``save`` comes without ``load``.
    """
    _validate_call("train", functions.train, "trial")
    _validate_call("evaluate", functions.evaluate, "model")
    if functions.predict is not None:
        _validate_call("predict", functions.predict, "model", "data")
    if (functions.save is None) != (functions.load is None):
        there, lacking = ("save", "load") if functions.load is None else ("load", "save")
        message = f"{there} comes without {lacking}: define both save(model, path) and load(path)."
        raise UserError(message)


def validate_format(name: str) -> None:
    """Check the name of a model format.

    Raises:
        UserError: there is no such format.
    """
    if name not in FORMATS:
        message = f"--format {name} is unknown; choose one of {', '.join(FORMATS)}."
        raise UserError(message)


def _validate_call(name: str, function: object, *arguments: str) -> None:
    if not callable(function):
        kind, call = type(function).__name__, f"{name}({', '.join(arguments)})"
        message = f"{name} is a {kind} and no function: define {call}, and give it without quotes."
        raise UserError(message)
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # some built-in functions do not tell
    try:
        signature.bind(*arguments)
    except TypeError:
        count = "one argument" if len(arguments) == 1 else f"{len(arguments)} arguments"
        message = (
            f"{name}{signature} is called with {count}: define {name}({', '.join(arguments)})."
        )
        raise UserError(message) from None
