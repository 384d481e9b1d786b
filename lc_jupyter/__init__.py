"""LearningChain in a notebook: ``%load_ext lc_jupyter``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from lc_jupyter.jobs import Job


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Serve ``%load_ext lc_jupyter``."""
    from lc_jupyter.magics import register  # noqa: PLC0415 (importing the package stays light)

    register(shell)


def last_job() -> "Job":
    """Return the job that was posted last from this notebook, as an object.

    Raises:
        UserError: none was posted yet.
    """
    from lc_jupyter.magics import get_last_job  # noqa: PLC0415 (importing the package stays light)

    return get_last_job()
