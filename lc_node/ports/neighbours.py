"""Nodes in the same room: what they say of themselves by multicast, which proves nothing yet."""

from dataclasses import dataclass
from typing import Protocol

from lc_node.chain.types import ChainId, PublicKey
from lc_node.wire.session import TransportKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What a node tells the room: who it is, and which graph it is on or looks for."""

    graph: str
    chain_id: ChainId | None
    """None: it has no chain yet and looks for others to found one."""
    key: PublicKey
    transport_key: TransportKey
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A node that was heard; whether it is who it says shows when it is dialed."""

    presence: Presence
    host: str
    """An address on a network that this machine is on."""


class Neighbours(Protocol):
    """Announces this node to the room and hears the others."""

    @property
    def heard(self) -> tuple[Neighbour, ...]:
        """Who is in the room now, sorted by key."""
        ...

    def announce(self, presence: Presence | None) -> None:
        """Say this from now on; None: say nothing."""
        ...

    async def changed(self) -> None:
        """Return when ``heard`` has changed since the last return."""
        ...

    async def run(self) -> None:
        """Speak and listen until cancelled; a room that cannot be spoken to is a line in the log."""
        ...
