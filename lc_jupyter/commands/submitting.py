"""From a cell to a posted job."""

from typing import Any, Final, cast

from IPython.core.magic import line_cell_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments

from lc_jupyter.arguments import get_bounty_and_expires, parse_line
from lc_jupyter.cells import functions_from_cell
from lc_jupyter.commands.family import Family, in_one_line
from lc_jupyter.dockerfiles import Written, write_folder
from lc_jupyter.errors import UserError
from lc_jupyter.live import tell
from lc_jupyter.session import image_choice
from lc_jupyter.terms import DEFAULTS, Options

_IMAGE_ONLY: Final = ("image", "contract", "negate")
_CELL_ONLY: Final = (
    "include",
    "exclude",
    "with_distributions",
    "all_distributions",
    "allow_secrets",
    "dockerfile",
    "base",
)
_TYPED: Final = {
    "with_distributions": "with",
    "all_distributions": "all",
    "allow_secrets": "allow-secret",
}
"""Options whose names in Python are others."""


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
        metavar="FORMAT",
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
    @argument(
        "--dockerfile",
        metavar="FOLDER",
        help="post nothing, but write a folder from which a container engine builds the job's image",
    )
    @argument("--base", default="", help="with --dockerfile: the image to build on")
    @argument(
        "--image", help="without a cell: post an image that your node has, by name or digest"
    )
    @argument(
        "--contract",
        choices=("lc/1", "stdout/1"),
        help="with --image: what it does when it is run (default: lc/1)",
    )
    @argument(
        "--negate", action="store_true", help="with stdout/1: it prints a score, more is better"
    )
    @line_cell_magic
    @in_one_line
    def lc_submit(self, line: str, cell: str | None = None) -> None:
        """Run the cell, package what its ``train`` and ``evaluate`` need, and post it as a job.

        The cell defines train(trial), which returns a model, and evaluate(model), which returns its
        loss. It may define save(model, path) and load(path) where no model format fits. Files that
        ``.lcignore`` beside the notebook names, in the words of a ``.gitignore``, stay here.

        ``%lc_submit --image NAME``, without a cell, posts an image that the node has.
        """
        values = vars(parse_line(self.lc_submit, line))
        _validate_kind(values, cell)
        try:
            if cell is None:
                self._submit_image(values)
            elif values["dockerfile"]:
                tell(self._write_folder(values, cell))
            else:
                self._submit_cell(values, cell)
        except KeyboardInterrupt:
            message = "Interrupted; nothing was posted."
            raise UserError(message) from None

    def _submit_cell(self, values: dict[str, Any], cell: str) -> None:
        bounty, expires = get_bounty_and_expires(values)
        options, chain = _options(values), self._chain
        chain.validate(bounty, expires, options)  # a slip is told before the cell runs
        functions = functions_from_cell(self._shell, cell)
        do = chain.rehearse if values["dry_run"] else chain.submit_functions
        do(functions, bounty, expires, options)

    def _submit_image(self, values: dict[str, Any]) -> None:
        bounty, expires = get_bounty_and_expires(values)
        options, contract = _options(values), values["contract"] or "lc/1"
        if values["dry_run"]:
            choice = image_choice(
                values["image"], contract, negate=values["negate"], options=options
            )
            self._chain.rehearse_image(choice, bounty, expires, options)
            return
        _ = self._chain.submit_image(
            values["image"],
            bounty=bounty,
            expires=expires,
            contract=contract,
            negate=values["negate"],
            **options,
        )

    def _write_folder(self, values: dict[str, Any], cell: str) -> Written:
        functions = functions_from_cell(self._shell, cell)
        folder, base = values["dockerfile"], values["base"]
        return write_folder(functions, folder, _options(values), base=base)


def _options(values: dict[str, Any]) -> Options:
    """Return what of the line is an option in Python as well."""
    return cast("Options", {name: values[name] for name in DEFAULTS})


def _validate_kind(values: dict[str, Any], cell: str | None) -> None:
    """Refuse what does not go together: a cell is posted, or an image that exists.

    Raises:
        UserError: it does not.
    """
    if cell is None and not values["image"]:
        message = (
            "%lc_submit with one sign posts an image (--image NAME). A cell is posted by %%lc_submit, "
            "with two signs, in the cell's first line, above train and evaluate."
        )
        raise UserError(message)
    foreign = [name for name in (_IMAGE_ONLY if cell is not None else _CELL_ONLY) if values[name]]
    if foreign:
        kind = "an image (%lc_submit)" if cell is not None else "a cell (%%lc_submit)"
        option = _TYPED.get(foreign[0], foreign[0])
        message = f"--{option} goes with {kind}; leave it out here."
        raise UserError(message)
