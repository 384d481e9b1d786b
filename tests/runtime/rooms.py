"""Newcomers for tests: real keys, homes and transports, in a room of this process."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from lc_node.chain.types import ChainId, PublicKey
from lc_node.ports.neighbours import Neighbour, Presence
from lc_node.ports.transport import TransportKey
from lc_node.runtime.config import Config
from lc_node.runtime.home import Home
from lc_node.runtime.joining import Newcomer

LOOPBACK = "127.0.0.1"


def newcomer(folder: Path, number: int) -> Newcomer:
    """Return a node without a chain; those of lower numbers have lower keys."""
    home = Home(folder / f"home-{number}")
    home.create(None)
    config = Config()
    config = replace(config, network=replace(config.network, host=LOOPBACK, port=0))
    return Newcomer(home=home, keystore=home.keystore(None), config=config)


@dataclass
class FakeRoom:
    """Where announcements are heard at once."""

    said: dict[PublicKey, Presence] = field(default_factory=dict)
    listeners: "list[FakeNeighbours]" = field(default_factory=list)

    def place(self, key: PublicKey) -> "FakeNeighbours":
        """Return one node's part of the room."""
        made = FakeNeighbours(self, key)
        self.listeners.append(made)
        return made

    def tell(self) -> None:
        """Let everybody know that something was said."""
        for listener in self.listeners:
            listener.news.set()


@dataclass
class FakeNeighbours:
    """Implements ``ports.neighbours.Neighbours``."""

    room: FakeRoom
    key: PublicKey
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def heard(self) -> tuple[Neighbour, ...]:
        return tuple(
            Neighbour(presence=said, host=LOOPBACK)
            for key, said in sorted(self.room.said.items())
            if key != self.key
        )

    def announce(self, presence: Presence | None) -> None:
        self.room.said.pop(self.key, None)
        if presence is not None:
            self.room.said[self.key] = presence
        self.room.tell()

    async def changed(self) -> None:
        await self.news.wait()
        self.news.clear()

    async def run(self) -> None:
        await asyncio.Event().wait()


def presence_of(who: Newcomer, *, graph: str, chain_id: ChainId | None, port: int) -> Presence:
    """Return what a node announces."""
    return Presence(
        graph=graph,
        chain_id=chain_id,
        key=who.keystore.public_key,
        transport_key=TransportKey(who.keystore.transport_public),
        port=port,
    )
