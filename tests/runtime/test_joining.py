"""A node that knows only a chain's name and one of its nodes gets the document from there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.codec import encode
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.types import ChainId, Millis, PublicKey
from lc_node.ports.transport import PeerAddress, Refusal, TransportKey
from lc_node.runtime.arrival import Wishes, arrive
from lc_node.runtime.founders import found
from lc_node.runtime.genesis_exchange import genesis_answerer
from lc_node.runtime.home import GenesisMissing
from lc_node.runtime.inviting import join_line
from lc_node.runtime.joined import OtherGraph, joined
from lc_node.runtime.joining import Newcomer, NotLetIn, Talk, fetch_by_digest, talking
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.founding import Candidacy
from lc_node.wire.genesis_parts import AskGenesis
from lc_node.wire.join_line import Bootstrap, JoinLine
from lc_node.wire.topics import Topic
from tests.peer_nodes import OTHER_CHAIN
from tests.runtime.bench import HandClock
from tests.runtime.rooms import LOOPBACK, newcomer

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 30


def document(host: Newcomer, graph: str = "lab") -> Genesis:
    keystore = host.keystore
    only = Candidacy(
        graph=graph,
        key=keystore.public_key,
        transport_key=TransportKey(keystore.transport_public),
        link=host.home.links(keystore).commitment,
        offers=(),
    )
    return found(graph, [only], Millis(1_700_000_000_000))


async def garbage(_peer: PublicKey, _payload: bytes) -> bytes | None:
    return b"garbage"


@asynccontextmanager
async def hosting(host: Newcomer, genesis: Genesis, *, lies: bool = False) -> AsyncIterator[Talk]:
    """Answer newcomers as a node of the graph does, or as a liar."""
    answerer = garbage if lies else genesis_answerer(genesis, SystemClock())
    async with talking(
        host, chain_id(genesis), answerers={Topic.GENESIS: answerer}, port=0
    ) as talk:
        yield talk


def address(host: Newcomer, talk: Talk) -> PeerAddress:
    return PeerAddress(
        public_key=host.keystore.public_key,
        transport_key=TransportKey(host.keystore.transport_public),
        host=LOOPBACK,
        port=talk.transport.port,
    )


def line_to(host: Newcomer, talk: Talk, genesis: Genesis) -> JoinLine:
    bootstrap = Bootstrap(
        key=host.keystore.public_key,
        transport_key=TransportKey(host.keystore.transport_public),
        endpoints=(
            # The first of a node's endpoints need not be the one that can be reached from here.
            Endpoint(host=Host("127.0.0.2"), port=Port(1)),
            Endpoint(host=Host(LOOPBACK), port=Port(talk.transport.port)),
        ),
    )
    return join_line(genesis, [bootstrap], None)


async def test_the_document_is_fetched_by_its_digest(tmp_path: Path) -> None:
    ann, bob = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    genesis = document(ann)
    async with asyncio.timeout(PATIENCE_SECONDS), hosting(ann, genesis) as talk:
        where = address(ann, talk)

        assert await fetch_by_digest(bob, chain_id(genesis), lambda _turn: [where]) == genesis


async def test_a_liar_is_passed_over(tmp_path: Path) -> None:
    ann, bob, eve = (newcomer(tmp_path, number) for number in (1, 2, 3))
    genesis = document(ann)
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        hosting(ann, genesis) as honest,
        hosting(eve, genesis, lies=True) as liar,
    ):
        where = [address(eve, liar), address(ann, honest)]

        assert await fetch_by_digest(bob, chain_id(genesis), lambda _turn: where) == genesis


async def test_who_asks_for_a_chain_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    ann, bob = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    async with asyncio.timeout(PATIENCE_SECONDS), hosting(ann, document(ann)) as talk:
        where = address(ann, talk)
        with pytest.raises(ExceptionGroup) as raised:
            await fetch_by_digest(bob, ChainId(OTHER_CHAIN), lambda _turn: [where])

    assert raised.group_contains(NotLetIn, match=Refusal.OTHER_CHAIN.words)


async def test_nobody_is_given_the_document_again_and_again(tmp_path: Path) -> None:
    ann = newcomer(tmp_path, 1)
    answer = genesis_answerer(document(ann), HandClock())
    question = encode(AskGenesis(part=0))
    given = [await answer(ann.keystore.public_key, question) is not None for _ in range(5)]

    assert given == [True] * 4 + [False]


async def test_a_home_joins_by_a_line_and_is_on_the_graph_from_then_on(tmp_path: Path) -> None:
    ann, bob = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    genesis = document(ann)
    async with asyncio.timeout(PATIENCE_SECONDS), hosting(ann, genesis) as talk:
        line = line_to(ann, talk, genesis)
        assert await arrive(bob, Wishes(line=line)) == genesis

    assert await arrive(bob, Wishes()) == genesis
    assert await arrive(bob, Wishes(line=line)) == genesis
    assert joined(bob.home) == line


async def test_a_line_that_was_interrupted_is_followed_when_the_node_starts_again(
    tmp_path: Path,
) -> None:
    ann, bob = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    genesis = document(ann)
    async with asyncio.timeout(PATIENCE_SECONDS), hosting(ann, genesis) as talk:
        line = line_to(ann, talk, genesis)
        nobody = join_line(
            genesis,
            [
                Bootstrap(
                    key=line.bootstraps[0].key,
                    transport_key=line.bootstraps[0].transport_key,
                    endpoints=line.bootstraps[0].endpoints[:1],
                )
            ],
            None,
        )
        with pytest.raises((TimeoutError, ExceptionGroup)):
            async with asyncio.timeout(2):
                await arrive(bob, Wishes(line=nobody))

        assert await arrive(bob, Wishes(line=line)) == genesis


async def test_a_home_is_on_one_graph(tmp_path: Path) -> None:
    ann, bob = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    genesis = document(ann)
    bob.home.use_genesis(genesis)
    async with hosting(ann, document(ann, "other")) as talk:
        line = line_to(ann, talk, document(ann, "other"))

    with pytest.raises(OtherGraph, match="home of its own"):
        await arrive(bob, Wishes(line=line))
    with pytest.raises(OtherGraph, match="on graph lab"):
        await arrive(bob, Wishes(graph="other"))


async def test_a_home_that_is_on_no_graph_says_how_to_join_one(tmp_path: Path) -> None:
    with pytest.raises(GenesisMissing, match="--join"):
        await arrive(newcomer(tmp_path, 1), Wishes())
