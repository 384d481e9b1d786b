"""Where discovery begins: the room that a running node is in, and the nodes of the line by which it joined."""

import asyncio
from itertools import count
from typing import Final, Protocol

from lc_node.adapters.mdns import MulticastNeighbours
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.ports.keystore import Keystore
from lc_node.ports.neighbours import Neighbour, Neighbours, Presence
from lc_node.ports.transport import PeerAddress, TransportKey
from lc_node.runtime.config import NetworkConfig
from lc_node.runtime.hints import Origin
from lc_node.runtime.joined import addresses
from lc_node.wire.join_line import JoinLine

_TURN_SECONDS: Final = 30.0
"""After so long the nodes of the line are tried at another of their endpoints."""


class PointedTo(Protocol):
    """Who dials what is pointed to (``runtime.discovery.Discovery``)."""

    def hint(self, address: PeerAddress, origin: Origin) -> None:
        """Be pointed to a node that may be there."""
        ...


class Room:
    """Says that this node is here, and points to others; what they say is no more than an address to try."""

    def __init__(  # noqa: PLR0913  # one argument a source
        self,
        keystore: Keystore,
        genesis: Genesis,
        network: NetworkConfig,
        line: JoinLine | None,
        discovery: PointedTo,
        *,
        port: int,
        neighbours: Neighbours | None = None,
    ) -> None:
        """Prepare; a node without a port listens and says nothing, one without multicast does neither."""
        self._presence: Final = Presence(
            graph=genesis.graph,
            chain_id=chain_id(genesis),
            key=keystore.public_key,
            transport_key=TransportKey(keystore.transport_public),
            port=port,
        )
        self._line = line
        self._discovery = discovery
        self._neighbours = neighbours
        if network.multicast and neighbours is None:
            self._neighbours = MulticastNeighbours(keystore.public_key, host=network.host)

    async def run(self) -> None:
        """Speak, listen and point until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            if self._neighbours is not None:
                self._neighbours.announce(self._presence if self._presence.port else None)
                tasks.create_task(self._neighbours.run())
                tasks.create_task(self._listen(self._neighbours))
            if self._line is not None:
                tasks.create_task(self._follow(self._line))

    async def _listen(self, neighbours: Neighbours) -> None:
        known: frozenset[Neighbour] = frozenset()
        while True:
            heard = neighbours.heard
            for one in heard:
                if one not in known and one.presence.chain_id == self._presence.chain_id:
                    self._discovery.hint(_address(one), Origin.MULTICAST)
            known = frozenset(heard)
            await neighbours.changed()

    async def _follow(self, line: JoinLine) -> None:
        for turn in count():
            for address in addresses(line, turn):
                self._discovery.hint(address, Origin.SEED)
            await asyncio.sleep(_TURN_SECONDS)


def _address(one: Neighbour) -> PeerAddress:
    return PeerAddress(
        public_key=one.presence.key,
        transport_key=one.presence.transport_key,
        host=one.host,
        port=one.presence.port,
    )
