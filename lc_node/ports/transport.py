"""Frames to and from peers whose identity the transport has proved."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from lc_node.chain.types import PublicKey


class Channel(IntEnum):
    """Frames of different urgency travel apart, so that a vote never waits behind a model."""

    CONSENSUS = 1
    BULK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """One frame and the identity that sent it."""

    peer: PublicKey
    channel: Channel
    frame: bytes


class Transport(Protocol):
    """Lossy, encrypted, authenticated frames. Every send may be dropped; nothing is reordered silently."""

    @property
    def peers(self) -> tuple[PublicKey, ...]:
        """The peers with an established session, sorted by key."""
        ...

    def send(self, peer: PublicKey, channel: Channel, frame: bytes) -> bool:
        """Queue a frame; False if the peer is unknown or its queue is full (the frame is dropped)."""
        ...

    async def receive(self) -> Inbound:
        """Return the next frame from any peer."""
        ...
