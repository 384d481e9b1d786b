"""What a notebook is connected to: its own node, or other people's nodes that prove facts."""

from typing import TYPE_CHECKING

from lc_jupyter.errors import UserError
from lc_jupyter.session import LearningChain, connect

if TYPE_CHECKING:
    from lc_jupyter.light import ProvenChain


class Connection:
    """Made at its first use; all magics of a notebook share it."""

    def __init__(self) -> None:
        """Be connected to nothing yet."""
        self._connected: LearningChain | None = None
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
        if self._connected is None:
            self._connected = connect()
        return self._connected

    def use(self, chain: LearningChain) -> None:
        """Speak with this node from now on."""
        self.close()
        self._connected = chain

    def prove(self, proven: "ProvenChain") -> None:
        """Ask for proofs from now on."""
        self.close()
        self.proven = proven

    def close(self) -> None:
        """Close what is open; the next command connects anew."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None
        self.proven = None
