"""Getting a graph's first document before there is a node: a transport, a network, and questions."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.zmq_sockets import transport_keys_of
from lc_node.adapters.zmq_transport import TransportSettings, ZmqTransport
from lc_node.chain.addresses import encode_address
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis
from lc_node.chain.types import ByteCount, ChainId, Digest, Height, MillisSpan, PublicKey
from lc_node.ports.keystore import Keystore
from lc_node.ports.transport import PeerAddress, Refusal
from lc_node.runtime.answers import Answerer, Answers
from lc_node.runtime.config import Config
from lc_node.runtime.genesis_exchange import GenesisNotGiven, fetch_genesis
from lc_node.runtime.home import Home
from lc_node.runtime.network import Network, PeerSilent
from lc_node.wire.invitations import Ticket
from lc_node.wire.score import Verdict
from lc_node.wire.topics import Topic

_log = logging.getLogger(__name__)

_ANSWER: Final = MillisSpan(10_000)
_PAUSE_SECONDS: Final = 1.0
_REMIND_TURNS: Final = 15
_FINAL: Final = frozenset(
    {
        Refusal.OTHER_CHAIN,
        Refusal.OTHER_VERSION,
        Refusal.OWN_KEY,
        Refusal.BANNED,
        Refusal.NOT_INVITED,
    }
)
"""What trying again will not change."""


class NotLetIn(LearningChainError):
    """Nobody whom we know on the graph lets us in."""

    def __init__(self, refusals: Mapping[PublicKey, Refusal]) -> None:
        """Say what each of them said."""
        said = "; ".join(
            f"{encode_address(peer)} says: {refusal.words}" for peer, refusal in refusals.items()
        )
        super().__init__(f"no node of the graph lets this one in: {said}")
        self.refusals = dict(refusals)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """A node that has no chain yet."""

    home: Home
    keystore: Keystore
    config: Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """A conversation with peers."""

    transport: ZmqTransport
    network: Network

    async def ask(
        self, peer: PublicKey, topic: Topic, payload: bytes, within: MillisSpan = _ANSWER
    ) -> bytes | None:
        """Ask a peer; return its answer, None if it has none.

        Raises:
            PeerSilent: it does not answer within the span.
        """
        return await self.network.request(peer, topic, payload, within=within)


@asynccontextmanager
async def talking(
    newcomer: Newcomer,
    chain_id: ChainId,
    *,
    answerers: Mapping[Topic, Answerer] | None = None,
    port: int | None = None,
    tickets: tuple[Ticket, ...] = (),
) -> AsyncIterator[Talk]:
    """Talk with peers who greet by ``chain_id`` for as long as the context lasts; listen if there is a port.

    Raises:
        CannotListen: the port is taken.
    """
    keystore, config = newcomer.keystore, newcomer.config
    settings = TransportSettings(
        chain_id=chain_id,
        signer=keystore,
        keys=transport_keys_of(keystore.transport_secret),
        peers=[],
        host=config.network.host,
        port=port,
        tickets=tickets,
    )
    transport = ZmqTransport(settings, SystemClock())
    transport.open()
    network = Network(
        me=keystore.public_key,
        transport=transport,
        clock=SystemClock(),
        blobs=DirectoryBlobStore(
            newcomer.home.blobs_path, bytes_max=ByteCount(config.storage.blobs_bytes_max)
        ),
        height=lambda: Height(0),
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            running = (
                tasks.create_task(transport.run()),
                tasks.create_task(network.run(_Ears(Answers(answerers or {})))),
            )
            try:
                yield Talk(transport=transport, network=network)
            finally:
                for task in running:
                    task.cancel()
    finally:
        transport.close()


async def fetch_by_digest(
    newcomer: Newcomer,
    chain_id: ChainId,
    sources: Callable[[int], Iterable[PeerAddress]],
    tickets: tuple[Ticket, ...] = (),
) -> Genesis:
    """Return the document that a chain is named by, from whoever of ``sources`` is reached first.

    ``sources`` is asked again each turn: where a node is may change. Who does not answer is waited for.

    Raises:
        NotLetIn: all of them refuse us, and will go on to.
    """
    turn = 0
    async with talking(newcomer, chain_id, tickets=tickets) as talk:
        while True:
            dialed = tuple(sources(turn))
            for address in dialed:
                if address.public_key not in talk.transport.peers:
                    talk.transport.dial(address, keep=False)
            await asyncio.sleep(_PAUSE_SECONDS)
            genesis = await _from_anyone(talk, chain_id)
            if genesis is not None:
                return genesis
            _check_refusals(talk.transport, dialed)
            turn += 1
            if turn % _REMIND_TURNS == 0:
                where = ", ".join(f"{one.host}:{one.port}" for one in dialed) or "nobody"
                _log.info("no node of the graph answers yet; tried %s", where)


async def _from_anyone(talk: Talk, chain_id: ChainId) -> Genesis | None:
    for peer in talk.transport.peers:
        try:
            return await fetch_genesis(talk.ask, peer, chain_id)
        except (GenesisNotGiven, PeerSilent) as error:
            _log.warning("%s", error)
    return None


def _check_refusals(transport: ZmqTransport, dialed: Iterable[PeerAddress]) -> None:
    said: dict[PublicKey, Refusal] = {}
    for one in dialed:
        refusal = transport.refusal(one.public_key)
        if refusal not in _FINAL:
            return
        said[one.public_key] = refusal
    if said:
        raise NotLetIn(said)


class _Ears:
    """Hears peers before there is a chain: questions are answered, nothing else means anything."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def on_consensus(self, peer: PublicKey, payload: bytes) -> Verdict:
        """Pass over what is for nodes with a chain."""
        del peer, payload
        return Verdict.IGNORE

    async def on_transaction(self, peer: PublicKey, raw: bytes) -> Verdict:
        """Pass over what is for nodes with a chain."""
        del peer, raw
        return Verdict.IGNORE

    def pending(self) -> Iterable[Digest]:
        """Name nothing: without a chain nothing waits."""
        return ()

    def transaction(self, name: Digest) -> bytes | None:
        """Have none."""
        del name
        return None  # the type checker wants it said

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        """Let whoever knows of the topic answer."""
        return await self._answers.answer(peer, topic, payload)

    def on_peer(self, peer: PublicKey, *, is_up: bool) -> None:
        """Do nothing: who is there is asked for when it matters."""
