"""Nodes that serve a signed chain over real sockets, honest or not, and a newcomer that catches up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.signed_chain import SignedChain
from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.adapters.sqlite_snapshot_store import SqliteSnapshotStore
from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.beacon import LinkChain
from lc_node.chain.crypto import sha256
from lc_node.chain.genesis import Genesis
from lc_node.chain.types import Height, PublicKey
from lc_node.ports.transport import PeerAddress
from lc_node.runtime.answers import Answerer, Answers
from lc_node.runtime.catch_up import CatchUp, Peers, Surroundings, Terms
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.network import Network
from lc_node.runtime.shelf import Shelf
from lc_node.runtime.witness import Witness
from lc_node.wire.messages import Keepalive, encode_message
from lc_node.wire.topics import Topic
from tests.peer_nodes import STORE_BYTES, Recorder, Who, people, transport, until

TERMS = Terms(gap_min=5, snapshot_gap=20)
BY_BLOCKS = Terms(gap_min=5, snapshots=False)
ME = PublicKey(b"me" * 16)

Lie = Callable[[Answerer], Answerer]
"""What becomes of an honest answerer."""

HONEST: Mapping[Topic, Lie] = {}
HEIGHT = 45
EPOCH_HEIGHTS = 10
SELF, *OTHERS = people(4)
ALIVE = encode_message(Keepalive())


def grown_chain(path: Path) -> SignedChain:
    """Return a chain in its fifth epoch, whose blocks made many accounts."""
    made = SignedChain(path, senders=40, epoch_heights=EPOCH_HEIGHTS, links=128)
    made.grow(25, is_full=True)
    made.grow(HEIGHT - 25)
    return made


@dataclass
class Serving(Recorder):
    """Answers questions."""

    answers: Answers = field(default_factory=lambda: Answers({}))
    asked: list[int] = field(default_factory=list)

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        self.asked.append(topic)
        return await self.answers.answer(peer, topic, payload)


@asynccontextmanager
async def networked(
    who: Who,
    folder: Path,
    height: Callable[[], Height],
    *,
    answers: Answers | None = None,
    peers: Sequence[PeerAddress] = (),
) -> AsyncIterator[tuple[Network, PeerAddress, Serving]]:
    """Run a network for as long as the context lasts."""
    serving = Serving(answers=answers or Answers({}))
    blobs = DirectoryBlobStore(folder / who.key.hex()[:8], bytes_max=STORE_BYTES)
    async with transport(who, peers=peers) as below, asyncio.TaskGroup() as tasks:
        network = Network(
            me=who.key, transport=below, clock=SystemClock(), blobs=blobs, height=height
        )
        running = tasks.create_task(network.run(serving))
        try:
            yield network, who.at(below.port), serving
        finally:
            running.cancel()


def answerers_of(
    ledger: Ledger, lies: Mapping[Topic, Lie], *, put_aside_blocks: int = 10
) -> Answers:
    clock = SystemClock()
    shelf = Shelf(ledger, clock, put_aside_blocks=put_aside_blocks)
    honest = {**Witness(ledger, clock).answerers(), **shelf.answerers()}
    return Answers({topic: lies[topic](a) if topic in lies else a for topic, a in honest.items()})


@asynccontextmanager
async def server(
    who: Who, folder: Path, ledger: Ledger, lies: Mapping[Topic, Lie] | None = None
) -> AsyncIterator[tuple[PeerAddress, Serving]]:
    """Run a node that serves a ledger, with some answers replaced."""
    answers = answerers_of(ledger, lies or {})
    async with networked(who, folder, lambda: ledger.height, answers=answers) as (_, at, serving):
        yield at, serving


class Newcomer:
    """A node's parts that catch up; the agreement is only looked at."""

    def __init__(self, folder: Path, genesis: Genesis, chain: SignedChain) -> None:
        """Open, or open again, what lies in the folder."""
        folder.mkdir(exist_ok=True)
        self.store = SqliteChainStore.open(folder / "chain.db", chain.ledger.root.chain_id)
        links = LinkChain(sha256(b"newcomer"), links=4)
        self.ledger = Ledger(genesis=genesis, store=self.store, me=ME, links=links)
        self.votes = SqliteVoteStore.open(folder / "votes.db")
        self.snapshot = SqliteSnapshotStore(folder / "snapshot.db")
        self.paused = 0
        self.why: list[str] = []
        self.went_on = 0
        self.adopted: list[Height] = []

    def pause(self, why: Callable[[], str]) -> None:
        self.paused += 1
        self.why.append(why())

    def catch_up(self, network: Peers, terms: Terms = TERMS) -> CatchUp:
        def go_on() -> None:
            self.went_on += 1

        surroundings = Surroundings(
            ledger=self.ledger,
            network=network,
            agreement=self,
            go_on=go_on,
            on_adopted=lambda: self.adopted.append(self.ledger.height),
            votes=self.votes,
            store=self.snapshot,
        )
        return CatchUp(surroundings, terms)

    def close(self) -> None:
        self.snapshot.close()
        self.votes.close()
        self.store.close()


@asynccontextmanager
async def among(
    folder: Path,
    chain: SignedChain,
    newcomer: Newcomer,
    *lies: Mapping[Topic, Lie],
    terms: Terms = TERMS,
    seen: Callable[[Network], Peers] = lambda network: network,
) -> AsyncIterator[tuple[Network, CatchUp, Sequence[Serving]]]:
    """Run a newcomer among as many servers as there are sets of lies; an empty one is honest."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(server(who, folder, chain.ledger, said))
            for who, said in zip(OTHERS, lies, strict=False)
        ]
        addresses = [at for at, _ in servers]
        height = lambda: newcomer.ledger.height  # noqa: E731  # a name for the next line
        network, _, _ = await stack.enter_async_context(
            networked(SELF, folder, height, peers=addresses)
        )
        told = [chain.ledger.height] * len(servers)
        await until(lambda: [one.height for one in network.peers()] == told)
        # Heights come over one of two channels, answers over the other.
        asked = OTHERS[: len(servers)]
        await until(lambda: all(network.send_frame(who.key, ALIVE) for who in asked))
        catch_up = newcomer.catch_up(seen(network), terms)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(catch_up.run())
            try:
                yield network, catch_up, [serving for _, serving in servers]
            finally:
                task.cancel()


def changed(change: Callable[[bytes], bytes | None]) -> Lie:
    """Return a lie that changes every answer."""

    def lie(honest: Answerer) -> Answerer:
        async def answerer(peer: PublicKey, question: bytes) -> bytes | None:
            said = await honest(peer, question)
            return None if said is None else change(said)

        return answerer

    return lie


def instead(answer: Callable[[bytes], Awaitable[bytes | None]]) -> Lie:
    """Return a lie that answers by itself."""

    def lie(honest: Answerer) -> Answerer:
        del honest

        async def answerer(peer: PublicKey, question: bytes) -> bytes | None:
            del peer
            return await answer(question)

        return answerer

    return lie


def once(is_time: Callable[[], Awaitable[object]], topic: Topic) -> Mapping[Topic, Lie]:
    """Return honest answers, of which the first to a topic waits for something."""

    def lie(honest: Answerer) -> Answerer:
        answered = 0

        async def answerer(peer: PublicKey, question: bytes) -> bytes | None:
            nonlocal answered
            answered += 1
            if answered == 1:
                await is_time()
            return await honest(peer, question)

        return answerer

    return {topic: lie}
