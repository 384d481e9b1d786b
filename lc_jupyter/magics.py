"""The extension: all magics of a shell, on one connection, and Tab for their lines."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, magics_class

from lc_jupyter import settings
from lc_jupyter.commands.connection import Connection
from lc_jupyter.commands.family import Family
from lc_jupyter.commands.jobs import JobMagics
from lc_jupyter.commands.life import LifeMagics
from lc_jupyter.commands.mistyped import MistypedCommands
from lc_jupyter.commands.models import ModelMagics
from lc_jupyter.commands.node import NodeMagics
from lc_jupyter.commands.submitting import SubmitMagics
from lc_jupyter.completion import Completer

_FAMILIES: Final = (LifeMagics, NodeMagics, JobMagics, SubmitMagics, ModelMagics)


@magics_class
class LearningChainMagics(Magics):
    """What ``%load_ext lc_jupyter`` adds to a shell, and ``%unload_ext`` takes away; its families have the magics."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Serve a shell; the node is looked for when it is needed."""
        super().__init__(shell)
        self._connection = Connection()
        self._families: Final[tuple[Family, ...]] = tuple(
            family(shell, self._connection) for family in _FAMILIES
        )
        completer = Completer(
            self._find,
            lambda prefix: self._connection.chain.find_jobs(prefix),  # noqa: PLW0108  # connects only when asked
        )
        self._complete: Final = completer.matcher()
        self._mistyped: Final = MistypedCommands(lambda: _names(shell))

    def load(self, shell: InteractiveShell) -> None:
        """Add all.

        Raises:
            UserError: the configuration says something that cannot be meant.
        """
        settings.load(shell)
        shell.register_magics(self, *self._families)
        shell.Completer.custom_matchers.append(self._complete)
        shell.ast_transformers.append(self._mistyped)

    def unload(self, shell: InteractiveShell) -> None:
        """Close the connection, and take away what asks by itself."""
        self._connection.close()
        settings.unload(shell)
        shell.Completer.custom_matchers.remove(self._complete)
        shell.ast_transformers.remove(self._mistyped)

    def _find(self, name: str) -> Callable[..., Any] | None:
        """Return the magic of a name, if it is one of ours."""
        for family in self._families:
            if name in family.magics["line"] or name in family.magics["cell"]:
                found: Callable[..., Any] = getattr(family, name)
                return found
        return None


def _names(shell: InteractiveShell) -> Iterator[str]:
    """Yield all commands of a shell as they are typed."""
    for kind, sign in (("line", "%"), ("cell", "%%")):
        yield from (sign + name for name in shell.magics_manager.magics[kind])
