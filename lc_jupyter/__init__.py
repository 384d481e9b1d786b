"""LearningChain in a notebook: ``%load_ext lc_jupyter``, or ``lc_jupyter.connect()`` in Python.

Importing the package stays light; what it offers is imported when it is called.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lc_jupyter.dockerfiles import Written
    from lc_jupyter.functions import Function
    from lc_jupyter.jobs import Job
    from lc_jupyter.session import LearningChain


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Serve ``%load_ext lc_jupyter``."""
    from lc_jupyter.magics import LearningChainMagics  # noqa: PLC0415 (the import stays light)

    LearningChainMagics(shell).load(shell)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """Serve ``%unload_ext lc_jupyter`` and ``%reload_ext``: close the connection."""
    shell.magics_manager.registry["LearningChainMagics"].unload(shell)


def connect(where: str | Path | None = None) -> "LearningChain":
    """Connect to a node of this machine: by its home, as ``c.LearningChain.node`` or ``$LC_NODE`` says, or at the default home.

    Raises:
        NodeUnreachable: none runs there; the message says how to start one.
    """
    from lc_jupyter import session  # noqa: PLC0415 (the import stays light)

    return session.connect(where)


def write_dockerfile(
    train: "Function",
    evaluate: "Function",
    folder: str | Path,
    *,
    base: str = "",
    **options: Any,
) -> "Written":
    """Write a folder from which a container engine builds a job's image, where a snapshot cannot be made.

    Args:
        train: called with a trial; returns a model.
        evaluate: called with a model; returns its loss, or the losses of groups.
        folder: a new one.
        base: the image to build on; the official one of this version of Python if not given.
        options: ``save``, ``load`` and ``predict``, and those of ``lc_jupyter.terms.Options`` that say what goes along.

    Raises:
        UserError: something has to be changed first; nothing was written.
    """
    from lc_jupyter import dockerfiles  # noqa: PLC0415 (the import stays light)

    return dockerfiles.write_dockerfile(train, evaluate, folder, base=base, **options)


def last_job() -> "Job":
    """Return the job that was posted last from this notebook, as an object.

    Raises:
        UserError: none was posted yet.
    """
    from lc_jupyter.jobs import get_last_job  # noqa: PLC0415 (the import stays light)

    return get_last_job()
