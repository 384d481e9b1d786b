"""Frames to and from peers whose identity the transport has proved."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from lc_node.chain.types import ByteCount, Millis, PublicKey
from lc_node.wire.kinds import Channel
from lc_node.wire.messages import Frame, Refusal
from lc_node.wire.session import TransportKey

__all__ = [
    "Channel",
    "Connection",
    "Inbound",
    "PeerAddress",
    "Refusal",
    "Transport",
    "TransportKey",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerAddress:
    """Where a peer listens, and the two keys that it must prove there."""

    public_key: PublicKey
    transport_key: TransportKey
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One frame and the identity that sent it."""

    peer: PublicKey
    channel: Channel
    frame: Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What the owner may know of a peer that we have, or try to have, a session with."""

    peer: PublicKey
    address: str
    """Where we dial it; of one that has dialed us, the host that it comes from."""
    is_up: bool
    is_outbound: bool
    """Whether we have dialed the connection in use; False while there is none."""
    is_listed: bool
    """Whether the owner wants it connected, whatever else is found."""
    is_dialed: bool
    """Whether we dial it; if both have dialed, the connection in use may be its own."""
    host: str
    """The network address that the other end of the connection in use has, "" while there is none."""
    refusal: Refusal | None
    """Why there was no session when it was last tried."""
    since: Millis
    """When the session began, or when it was last tried."""
    bytes_in: ByteCount
    bytes_out: ByteCount


class Transport(Protocol):
    """Lossy, encrypted, authenticated frames. Every send may be dropped; nothing is reordered silently."""

    @property
    def peers(self) -> tuple[PublicKey, ...]:
        """The peers with an established session, sorted by key."""
        ...

    def send(self, peer: PublicKey, channel: Channel, frame: Frame) -> bool:
        """Queue a frame; False if the peer is unknown or its queue is full (the frame is dropped).

        The frame must not be changed afterwards. Its memory may be used again once no view of it is left.
        """
        ...

    async def receive(self, channel: Channel) -> Inbound:
        """Return the next frame on a channel; peers that have sent several take turns."""
        ...

    async def changed(self) -> None:
        """Return when ``peers`` has changed since the last return."""
        ...

    def forbid(self, peer: PublicKey) -> None:
        """Hang up on an identity and refuse it from now on."""
        ...

    def permit(self, peer: PublicKey) -> None:
        """Take ``forbid`` back."""
        ...

    def dial(self, address: PeerAddress, *, keep: bool) -> bool:
        """Dial a peer beside the listed ones; False if so many are dialed that there is no room.

        ``keep`` dials again, with pauses, until ``undial``; else it ends with the first attempt that
        fails, or with the session. A peer that is dialed already is dialed at the newer address from now on.
        """
        ...

    def undial(self, peer: PublicKey) -> None:
        """End what ``dial`` began, and the connection that came of it."""
        ...

    def refusal(self, peer: PublicKey) -> Refusal | None:
        """Return why there was no session when a peer was last dialed; None after a success, or if forgotten."""
        ...

    def welcome(self, peers: AbstractSet[PublicKey]) -> None:
        """Let these, instead of those named before, always find room when they dial us."""
        ...

    def connections(self) -> tuple[Connection, ...]:
        """Return the peers that are up, and those that we dial, sorted by key."""
        ...
