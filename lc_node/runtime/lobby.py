"""Waiting in a room for others who look for the same graph, and founding it with them."""

import asyncio
import logging
import time
from typing import Final

from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.codec import encode
from lc_node.chain.errors import LearningChainError, MalformedBytes
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.types import ChainId, Digest, Link, Millis, MillisSpan, PublicKey
from lc_node.ports.neighbours import Neighbours, Presence
from lc_node.ports.transport import PeerAddress, TransportKey
from lc_node.runtime.answers import Answerer
from lc_node.runtime.founders import check_founded, found
from lc_node.runtime.genesis_exchange import GenesisNotGiven, fetch_genesis, genesis_answerer
from lc_node.runtime.joining import Newcomer, Talk, fetch_by_digest, talking
from lc_node.runtime.network import PeerSilent
from lc_node.wire.founding import (
    STANDING_DECODER,
    Candidacy,
    Customs,
    Fetch,
    Found,
    Founding,
    Leave,
    Refuse,
    Wait,
    Why,
    lobby_of,
    sign_candidacy,
)
from lc_node.wire.topics import Topic

_log = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.5
_ANSWER: Final = MillisSpan(3_000)
_FETCH_SECONDS: Final = 30.0
_REMIND_SECONDS: Final = 30.0

_WORDS: Final = {
    Why.TOO_MANY: "more nodes are here than were to found it: stop some, or give a larger --founders",
    Why.LATECOMERS: "others are here; waiting a moment for who may still come",
    Why.SIGHT: "not all nodes here see each other yet; is one behind a firewall?",
    Why.FOUNDER: "others are here; the node with the lowest key founds the graph in a moment",
    Why.OTHERS: "the graph is founded; waiting until all who are here know it",
}


class SeveralChains(LearningChainError):
    """Two chains of one name run in the room."""

    def __init__(self, graph: str, chains: tuple[ChainId, ...]) -> None:
        """Name them."""
        names = " and ".join(chain.hex() for chain in chains)
        super().__init__(
            f"several chains in this room call themselves {graph!r}: {names}; say which one you mean by "
            "`--join LINE`, with the line that `lc-node invite` prints on one of its nodes"
        )
        self.chains = chains


def candidacy_of(newcomer: Newcomer, graph: str) -> Candidacy:
    """Return what a node brings to a graph that is to be founded."""
    keystore, work = newcomer.keystore, newcomer.config.work
    return Candidacy(
        graph=graph,
        key=keystore.public_key,
        transport_key=TransportKey(keystore.transport_public),
        link=Link(Digest(newcomer.home.links(keystore).commitment)),
        offers=(work.offer,) if work.work else (),
    )


class Lobby:
    """Where a node waits that has no chain: it looks for one of a name, and founds it if there is none."""

    def __init__(
        self, newcomer: Newcomer, graph: str, neighbours: Neighbours, customs: Customs
    ) -> None:
        """Prepare to look for ``graph`` among ``neighbours``, which run beside."""
        self._newcomer = newcomer
        self._graph = graph
        self._neighbours = neighbours
        self._own = candidacy_of(newcomer, graph)
        self._founding = Founding(sign_candidacy(self._own, newcomer.keystore), customs, _now())
        self._genesis: Genesis | None = None
        self._giver: Answerer | None = None
        self._reason: Why | None = None
        self._said = time.monotonic()

    async def genesis(self) -> Genesis:
        """Return the graph's document once there is one and all who are here know it; the home has it then.

        Raises:
            SeveralChains: the name does not say which chain is meant.
            FoundedOtherwise: the document is not what we came for.
            CannotListen: the port is taken.
        """
        network = self._newcomer.config.network
        answerers = {Topic.FOUNDING: self._answer, Topic.GENESIS: self._give}
        async with talking(
            self._newcomer,
            lobby_of(self._graph),
            answerers=answerers,
            port=network.port if network.listen else None,
        ) as talk:
            self._neighbours.announce(self._presence(talk))
            _log.info("looking for graph %s in this room", self._graph)
            while True:
                self._dial(talk)
                await self._ask_around(talk)
                self._founding.see_chains(chain for chain, _address in self._running())
                done = await self._step(talk)
                if done is not None:
                    return done
                await asyncio.sleep(_TICK_SECONDS)

    async def _step(self, talk: Talk) -> Genesis | None:
        """Do what the founding asks for; return the document once the node may begin."""
        step = self._founding.step(_now())
        if isinstance(step, Leave):
            return self._genesis
        if isinstance(step, Refuse):
            raise SeveralChains(self._graph, step.chains)
        if isinstance(step, Found):
            _log.info("founding graph %s with %d nodes", self._graph, len(step.candidacies))
            now = Millis(time.time_ns() // 1_000_000)
            self._take(found(self._graph, step.candidacies, now))
        elif isinstance(step, Fetch):
            await self._fetch(talk, step.chain_id)
        else:
            self._explain(step)
        return None

    def _take(self, genesis: Genesis) -> None:
        """Keep the document, and only then say that we have it: who has it cannot found another."""
        self._newcomer.home.use_genesis(genesis)
        self._genesis, self._giver = genesis, genesis_answerer(genesis, SystemClock())
        self._founding.have(chain_id(genesis), _now())

    async def _fetch(self, talk: Talk, chain: ChainId) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                genesis = await self._fetched(talk, chain)
        except (TimeoutError, GenesisNotGiven, PeerSilent) as error:
            _log.warning("chain %s is here, but not its document yet: %s", chain.hex(), error)
            return
        if not check_founded(genesis, self._own):
            _log.info(
                "graph %s was founded without this node, which begins without credits", self._graph
            )
        self._take(genesis)

    async def _fetched(self, talk: Talk, chain: ChainId) -> Genesis:
        for peer in self._founding.holders(chain):
            if peer in talk.transport.peers:
                return await fetch_genesis(talk.ask, peer, chain)
        return await fetch_by_digest(
            self._newcomer,
            chain,
            lambda _turn: [address for one, address in self._running() if one == chain],
        )

    def _dial(self, talk: Talk) -> None:
        """Dial who is in the room and looks for the same graph."""
        for one in self._neighbours.heard:
            said = one.presence
            is_candidate = said.graph == self._graph and said.chain_id is None
            if is_candidate and said.key not in talk.transport.peers:
                talk.transport.dial(_address(said, one.host), keep=False)

    def _running(self) -> list[tuple[ChainId, PeerAddress]]:
        """Return who in the room runs a chain of the graph's name."""
        return [
            (one.presence.chain_id, _address(one.presence, one.host))
            for one in self._neighbours.heard
            if one.presence.graph == self._graph and one.presence.chain_id is not None
        ]

    async def _ask_around(self, talk: Talk) -> None:
        async with asyncio.TaskGroup() as tasks:
            for peer in talk.transport.peers:
                tasks.create_task(self._ask(talk, peer))

    async def _ask(self, talk: Talk, peer: PublicKey) -> None:
        try:
            answer = await talk.ask(peer, Topic.FOUNDING, b"", _ANSWER)
            is_good = answer is not None and self._founding.hear(
                peer, STANDING_DECODER.decode(answer), _now()
            )
        except PeerSilent:
            return
        except MalformedBytes:
            is_good = False
        if not is_good:
            talk.network.ban(peer)

    async def _answer(self, _peer: PublicKey, _payload: bytes) -> bytes | None:
        return encode(self._founding.standing)

    async def _give(self, peer: PublicKey, payload: bytes) -> bytes | None:
        return None if self._giver is None else await self._giver(peer, payload)

    def _presence(self, talk: Talk) -> Presence | None:
        if not talk.transport.port:
            return None
        return Presence(
            graph=self._graph,
            chain_id=None,
            key=self._own.key,
            transport_key=self._own.transport_key,
            port=talk.transport.port,
        )

    def _explain(self, wait: Wait) -> None:
        """Say what is waited for when that changes, and again from time to time."""
        if wait.why is self._reason and time.monotonic() < self._said + _REMIND_SECONDS:
            return
        self._reason, self._said = wait.why, time.monotonic()
        alone = (
            f"{len(self._founding.company)} here; others join by `lc-node run --graph {self._graph}` in this "
            "room, or say --founders 1 to found the graph alone"
        )
        _log.info("%s", _WORDS.get(wait.why, alone))


def _address(said: Presence, host: str) -> PeerAddress:
    return PeerAddress(
        public_key=said.key, transport_key=said.transport_key, host=host, port=said.port
    )


def _now() -> Millis:
    """Return a time that nobody can set back."""
    return Millis(time.monotonic_ns() // 1_000_000)
