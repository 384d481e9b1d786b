"""Frames to and from peers whose identity the transport has proved."""

from dataclasses import dataclass
from typing import Protocol

from lc_node.chain.types import ByteCount, Millis, PublicKey
from lc_node.wire.kinds import Channel
from lc_node.wire.messages import Refusal
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
    frame: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What the owner may know of a peer that we have, or try to have, a session with."""

    peer: PublicKey
    address: str
    is_up: bool
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

    def send(self, peer: PublicKey, channel: Channel, frame: bytes | bytearray) -> bool:
        """Queue a frame; False if the peer is unknown or its queue is full (the frame is dropped).

        The frame must not be changed afterwards.
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

    def connections(self) -> tuple[Connection, ...]:
        """Return the peers that are up, and the listed ones that are not, sorted by key."""
        ...
