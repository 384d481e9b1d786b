"""What all magics have in common: one connection, and mistakes that end as one line."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics
from IPython.core.magic_arguments import argument

from lc_jupyter.commands.connection import Connection
from lc_jupyter.errors import StoppedWaiting, UserError
from lc_jupyter.jobs import Job
from lc_jupyter.session import LearningChain
from lc_node.api.client import ApiError
from lc_node.api.paths import naming_files

_INTERRUPTED: Final = "Interrupted; what the node was asked to do may yet take effect: %lc_jobs --mine and %lc_wallet show it."

R = TypeVar("R")

JOB: Final = argument(
    "job", nargs="?", help="job id, or its first digits; the last job posted here if left out"
)
"""The argument of every magic that is about one job."""


def in_one_line(magic: Callable[..., R]) -> Callable[..., R]:
    """Let what the user or the node is to blame for end a magic as one line."""

    @wraps(magic)
    def told(self: "Family", *texts: str) -> R:
        try:
            with naming_files():
                return magic(self, *texts)
        except (UserError, ApiError, StoppedWaiting) as error:
            raise UsageError(str(error)) from None
        except KeyboardInterrupt:
            raise UsageError(_INTERRUPTED) from None

    return told


class Family(Magics):
    """Magics of one kind."""

    def __init__(self, shell: InteractiveShell, connection: Connection) -> None:
        """Serve a shell through a connection."""
        super().__init__(shell)
        self._connection = connection

    @property
    def _chain(self) -> LearningChain:
        return self._connection.chain

    @property
    def _names(self) -> dict[str, Any]:
        """The variables of the notebook."""
        names: dict[str, Any] = self._shell.user_ns
        return names

    @property
    def _shell(self) -> InteractiveShell:
        assert self.shell is not None, "magics are made with a shell"
        return self.shell

    def _job(self, prefix: str | None) -> Job:
        return self._chain.job(prefix)
