"""From a cell to a posted job."""

from typing import Final, cast

from IPython.core.magic import cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from lc_jupyter.arguments import get_bounty_and_expires, parse_line
from lc_jupyter.cells import functions_from_cell
from lc_jupyter.commands.family import Family, in_one_line
from lc_jupyter.errors import UserError
from lc_jupyter.terms import DEFAULTS, Options

_NOT_OPTIONS: Final = ("bounty", "expires", "dry_run")


def _term(name: str, text: str) -> argument:
    """Return the option of a term, which may be set by configuration or environment as well."""
    built_in = DEFAULTS.get(name)
    suffix = f" (default: {built_in})" if built_in else ""
    return argument(f"--{name.replace('_', '-')}", help=text + suffix)


@magics_class
class SubmitMagics(Family):
    """Posting a cell as a job."""

    @magic_arguments()
    @_term("bounty", "credits for the best model, e.g. 20")
    @_term("expires", "how long bidding lasts, e.g. 10m")
    @argument("--name", default=DEFAULTS["name"], help="what others see the job as")
    @_term("trial_time", "the longest trial")
    @_term("evaluate_time", "the longest evaluation; as the check measures if left out")
    @_term("memory", "memory of a run")
    @_term("cpus", "processors of a run")
    @_term("gpus", "GPUs of a run")
    @_term("disk", "scratch space of a run")
    @_term("model_bytes", "the largest model")
    @_term("tolerance", "how far a re-evaluated loss may lie off")
    @argument(
        "--format",
        dest="model_format",
        default=DEFAULTS["model_format"],
        help="skops, npz, safetensors, onnx, raw or pickle; guessed if left out",
    )
    @argument("--include", action="append", default=[], help="a file or folder the job reads")
    @argument("--exclude", action="append", default=[], help="a pattern left out of --include")
    @argument(
        "--with",
        dest="with_distributions",
        action="append",
        default=[],
        help="a distribution to add",
    )
    @argument(
        "--all",
        dest="all_distributions",
        action="store_true",
        help="take every installed distribution",
    )
    @argument(
        "--allow-secret",
        dest="allow_secrets",
        action="append",
        default=[],
        help="a name that may go although it looks secret",
    )
    @_term("check_time", "how long to wait for the first model in the check")
    @argument(
        "--no-check",
        dest="check",
        action="store_false",
        help="post without running the job here once",
    )
    @argument("--dry-run", action="store_true", help="do all but the posting")
    @cell_magic
    @in_one_line
    def lc_submit(self, line: str, cell: str) -> None:
        """Run the cell, package what its ``train`` and ``evaluate`` need, and post it as a job.

        The cell defines train(trial), which returns a model, and evaluate(model), which returns its
        loss. It may define save(model, path) and load(path) where no model format fits.
        """
        values = vars(parse_line(self.lc_submit, line))
        bounty, expires = get_bounty_and_expires(values)
        options = cast(
            "Options", {name: v for name, v in values.items() if name not in _NOT_OPTIONS}
        )
        chain = self._chain
        chain.validate(bounty, expires, options)  # a slip is told before the cell runs
        try:
            functions = functions_from_cell(self._shell, cell)
            do = chain.rehearse if values["dry_run"] else chain.submit_functions
            do(functions, bounty, expires, options)
        except KeyboardInterrupt:
            message = "Interrupted; nothing was posted."
            raise UserError(message) from None
