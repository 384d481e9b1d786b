"""Where a snapshot cannot be made: a folder from which a container engine builds the image of a job."""

from pathlib import Path
from typing import Final, Unpack

from lc_jupyter.functions import Function, JobFunctions
from lc_jupyter.packaging.dockerfile import BuildContext, write_build_context
from lc_jupyter.submit import CellOptions, snapshot_of
from lc_jupyter.terms import Options, with_defaults
from lc_node.api.paths import expand, naming_files

_NEXT: Final = "Next, in a terminal:"


class Written:
    """A folder that was written, and what to do with it; shown as such in a notebook."""

    def __init__(self, context: BuildContext) -> None:
        self.context = context

    def __repr__(self) -> str:
        lines = [f"{self.context.folder} holds a Dockerfile and all that it copies."]
        if self.context.wheels_wanted:
            names = ", ".join(self.context.wheels_wanted)
            lines.append(
                f"Put wheels for Linux of {names} into {self.context.folder / 'build'}: no index has them."
            )
        lines.append(_NEXT)
        lines.extend(f"  {command}" for command in self.context.commands())
        return "\n".join(lines)


def write_dockerfile(
    train: Function,
    evaluate: Function,
    folder: str | Path,
    *,
    base: str = "",
    save: Function | None = None,
    load: Function | None = None,
    **options: Unpack[CellOptions],
) -> Written:
    """Write a Dockerfile, a lock of this environment, and what the functions take along, into a new folder.

    Raises:
        UserError: something has to be changed first; nothing was written.
        UnusablePath: the folder cannot be written.
    """
    predict = options.pop("predict", None)
    functions = JobFunctions(train=train, evaluate=evaluate, save=save, load=load, predict=predict)
    return write_folder(functions, folder, options, base=base)


def write_folder(
    functions: JobFunctions, folder: str | Path, options: Options, *, base: str = ""
) -> Written:
    """Do what ``write_dockerfile`` does."""
    request = snapshot_of(functions, with_defaults(options))
    with naming_files():
        return Written(write_build_context(request, expand(folder), base=base))
