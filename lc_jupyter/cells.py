"""What a submitted cell defines: it runs in the kernel first, so that a typo fails here."""

import sys
from symtable import symtable

from IPython.core.interactiveshell import InteractiveShell

from lc_jupyter.errors import UserError
from lc_jupyter.functions import Function, JobFunctions


def functions_from_cell(shell: InteractiveShell, cell: str) -> JobFunctions:
    """Run the cell as its notebook would, and return the job's functions that it defines.

    Raises:
        UserError: it raised, which the shell has shown, or it lacks what a job needs.
    """
    _validate_synchronous(shell, cell)
    modules = frozenset(sys.modules)
    earlier = dict(shell.user_ns)
    _run(shell, cell)
    names = _assigned(shell.transform_cell(cell))

    def defined(name: str) -> Function | None:
        value = shell.user_ns.get(name)
        is_new = name in names or value is not earlier.get(name)
        return value if is_new and callable(value) else None

    return JobFunctions(
        train=_required("train", defined("train")),
        evaluate=_required("evaluate", defined("evaluate")),
        save=defined("save"),
        load=defined("load"),
        predict=defined("predict"),
        cell=cell,
        new_modules=frozenset(sys.modules) - modules,
    )


def _validate_synchronous(shell: InteractiveShell, cell: str) -> None:
    """Refuse a cell that awaits: the kernel's loop is busy with the magic itself."""
    if shell.should_run_async(cell, transformed_cell=shell.transform_cell(cell)):
        message = "A submitted cell cannot await at its top level: move that to a cell of its own."
        raise UserError(message)


def _run(shell: InteractiveShell, cell: str) -> None:
    result = shell.run_cell(cell)
    raised = result.error_before_exec or result.error_in_exec
    if raised is not None:
        message = f"The cell raised {type(raised).__name__}, see above; {_remedy(raised)}."
        raise UserError(message)


def _remedy(raised: BaseException) -> str:
    """Return what to do about what a cell raised."""
    match raised:
        case ModuleNotFoundError(name=str(name)):
            package = name.partition(".")[0]
            return f"%pip install {package}, or put {package}.py beside the notebook"
        case ImportError() if "relative import" in str(raised):
            return (
                "a notebook is in no package: import the module by its whole name, without a dot"
            )
        case NameError(name=str(name)):
            return f"define {name} in this cell, or run the cell that does"
        case _:
            return "nothing was posted"


def _assigned(source: str) -> frozenset[str]:
    """Return the names that a cell's source binds at its top level."""
    symbols = symtable(source, "<cell>", "exec").get_symbols()
    return frozenset(s.get_name() for s in symbols if s.is_assigned() or s.is_imported())


def _required(name: str, function: Function | None) -> Function:
    if function is None:
        message = (
            f"The cell defines no function {name!r}. A job needs train(trial), which returns a "
            "model, and evaluate(model), which returns its loss."
        )
        raise UserError(message)
    return function
