"""How a home comes to be on a graph: it is there already, or joins by a line, or founds with the room."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Final

from lc_node.adapters.mdns import MulticastNeighbours
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.types import Millis
from lc_node.runtime.founders import found_alone
from lc_node.runtime.home import GenesisMissing
from lc_node.runtime.joined import OtherGraph, addresses, joined, remember, tickets_of
from lc_node.runtime.joining import Newcomer, fetch_by_digest
from lc_node.runtime.lobby import Lobby, candidacy_of
from lc_node.wire.founding import Customs
from lc_node.wire.join_line import JoinLine

_log = logging.getLogger(__name__)

_ALONE: Final = "private"
"""What a graph is called that somebody has founded alone."""

GRAPH_BYTES_MAX: Final = 200
"""The longest name, in UTF-8, that is announced in a room as it is."""


class NoMulticast(LearningChainError):
    """Nodes in the room cannot be found: the owner has turned multicast off."""

    def __init__(self) -> None:
        """Name what to do."""
        super().__init__(
            "--graph finds others by multicast, which config.toml turns off ([network] multicast); "
            "turn it on, or join by --join LINE"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the owner has said about the graph to be on."""

    line: JoinLine | None = None
    graph: str | None = None
    customs: Customs = field(default_factory=Customs)
    alone: bool = False
    """Found one of one's own, that admits only whom one invites."""


async def arrive(newcomer: Newcomer, wishes: Wishes) -> Genesis:
    """Return the document of the graph that the home is on from now on.

    Raises:
        OtherGraph: the home is on another one than is wished for.
        GenesisMissing: it is on none, and none is wished for.
        NotLetIn, SeveralChains, FoundedOtherwise, NoMulticast: see each.
    """
    home = newcomer.home
    if wishes.line is not None:
        remember(home, wishes.line)
    try:
        genesis = home.genesis()
    except GenesisMissing:
        genesis = await _found_or_fetched(newcomer, wishes)
        home.use_genesis(genesis)
    if wishes.graph not in {None, genesis.graph}:
        raise OtherGraph(home, genesis.graph, str(wishes.graph))
    return genesis


async def _found_or_fetched(newcomer: Newcomer, wishes: Wishes) -> Genesis:
    line = joined(newcomer.home)
    if line is not None:
        tickets = tickets_of(line, newcomer.keystore)
        _log.info("joining graph %s, chain %s", line.graph, line.chain_id.hex())
        genesis = await fetch_by_digest(
            newcomer, line.chain_id, lambda turn: addresses(line, turn), tickets
        )
        _log.info("the genesis document of chain %s is here", chain_id(genesis).hex())
        return genesis
    if wishes.alone:
        now = Millis(time.time_ns() // 1_000_000)
        return found_alone(candidacy_of(newcomer, _ALONE), now)
    if wishes.graph is None:
        raise GenesisMissing(newcomer.home.genesis_path)
    if not newcomer.config.network.multicast:
        raise NoMulticast
    return await _with_the_room(newcomer, wishes.graph, wishes.customs)


async def _with_the_room(newcomer: Newcomer, graph: str, customs: Customs) -> Genesis:
    neighbours = MulticastNeighbours(
        newcomer.keystore.public_key, host=newcomer.config.network.host
    )
    async with asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(neighbours.run())
        try:
            return await Lobby(newcomer, graph, neighbours, customs).genesis()
        finally:
            hearing.cancel()
