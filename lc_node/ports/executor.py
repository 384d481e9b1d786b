"""Where a node's runs take place: on its own machine, or on the workers of a cluster."""

from typing import Protocol

from lc_node.chain.transactions import Resources
from lc_node.ports.images import ImageStore
from lc_node.ports.sandbox import Capabilities, Sandbox


class Executor(Protocol):
    """A sandbox and the images for it, wherever they are."""

    @property
    def sandbox(self) -> Sandbox:
        """What isolates the runs."""
        ...

    @property
    def images(self) -> ImageStore:
        """What prepares images for that sandbox."""
        ...

    async def start(self) -> None:
        """Reach the place, remove what an earlier life of this node left there, and see what holds.

        Raises:
            SandboxUnavailable: nothing can be isolated there; the message names the remedy.
            LearningChainError: it cannot be reached; one line says what to do.
        """
        ...

    def capabilities(self) -> Capabilities | None:
        """Return what is enforced there now, None if nothing can be run."""
        ...

    def problem(self) -> str:
        """Say why nothing can be run now, with the remedy; empty if something can."""
        ...

    def most(self) -> Resources | None:
        """Return the most that one run can get there, None if nothing is known of it."""
        ...

    async def keep_up(self) -> None:
        """See what becomes of the place, and reach it again if it was lost; until cancelled."""
        ...

    async def close(self) -> None:
        """Leave it; a second call changes nothing."""
        ...
