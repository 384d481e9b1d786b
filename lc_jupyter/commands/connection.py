"""What a notebook is connected to: its own node, or other people's nodes that prove facts."""

from pathlib import Path
from typing import TYPE_CHECKING

from lc_jupyter.errors import UserError
from lc_jupyter.session import LearningChain, connect
from lc_jupyter.settings import current

if TYPE_CHECKING:
    from lc_jupyter.light import ProvenChain


class Connection:
    """Made at its first use; all magics of a notebook share it."""

    def __init__(self) -> None:
        """Be connected to nothing yet."""
        self._connected: LearningChain | None = None
        self._by: tuple[str, float] | None = None
        """The settings that it follows; None if it was asked for by %lc_connect or %lc_start."""
        self._home: Path | None = None
        self.proven: ProvenChain | None = None
        """What proves facts without a node of one's own, if that was asked for."""

    @property
    def chain(self) -> LearningChain:
        """The own node.

        Raises:
            UserError: this notebook proves facts without one.
        """
        if self.proven is not None:
            message = (
                "This needs a node, and the notebook is connected without one (--light): start one with "
                "`lc-node run` and say %lc_connect."
            )
            raise UserError(message)
        wished = (current().node, current().silence_seconds)
        if self._by not in {None, wished}:
            self.close()  # %config says something else since
        if self._connected is None:
            self._connected, self._by = connect(), wished
        return self._connected

    @property
    def home(self) -> Path | None:
        """The home of the node that was connected to by name; None for the usual one."""
        return self._home

    def use(self, chain: LearningChain, home: Path | None) -> None:
        """Speak with this node from now on."""
        self.close()
        self._connected, self._home = chain, home

    def prove(self, proven: "ProvenChain") -> None:
        """Ask for proofs from now on."""
        self.close()
        self.proven = proven

    def close(self) -> None:
        """Close what is open; the next command connects anew."""
        if self._connected is not None:
            self._connected.close()
        self._connected = self._by = self._home = self.proven = None
