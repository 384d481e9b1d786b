"""LearningChain in a notebook: ``%load_ext lc_jupyter``, or ``connect()`` for the same in Python."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """Serve ``%load_ext lc_jupyter``."""
    from lc_jupyter.magics import load_ipython_extension as load  # noqa: PLC0415 (light to import)

    load(shell)
