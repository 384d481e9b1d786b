"""Nodes in a room found a graph over real transports; only the announcements are played."""

import asyncio
import logging
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.types import MillisSpan
from lc_node.runtime.founders import BOND, SHARE, FoundedOtherwise
from lc_node.runtime.joining import Newcomer, talking
from lc_node.runtime.lobby import Lobby, SeveralChains
from lc_node.wire.founding import Customs, lobby_of
from lc_node.wire.topics import Topic
from tests.peer_nodes import OTHER_CHAIN, until
from tests.runtime.rooms import FakeRoom, newcomer, presence_of
from tests.runtime.test_joining import document, garbage, hosting

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 60
THREE = Customs(founders=3)
QUICK = Customs(settle=MillisSpan(10), linger=MillisSpan(1_000))


def lobby(who: Newcomer, room: FakeRoom, customs: Customs = THREE) -> Lobby:
    return Lobby(who, "lab", room.place(who.keystore.public_key), customs)


async def gather(*lobbies: Lobby) -> list[Genesis]:
    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(one.genesis()) for one in lobbies]
    return [task.result() for task in waiting]


async def test_all_who_are_in_the_room_found_one_graph_with_equal_shares(tmp_path: Path) -> None:
    people = [newcomer(tmp_path, number) for number in (1, 2, 3)]
    room = FakeRoom()

    documents = await gather(*(lobby(one, room) for one in people))

    (genesis,) = {chain_id(one): one for one in documents}.values()
    assert genesis.members == tuple(sorted(one.keystore.public_key for one in people))
    assert {(one.balance, one.bonded) for one in genesis.accounts} == {(SHARE, BOND)}
    assert all(one.home.genesis() == genesis for one in people)


async def test_a_latecomer_follows_the_chain_that_runs_and_has_nothing_yet(tmp_path: Path) -> None:
    ann, bob = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    room, genesis = FakeRoom(), document(ann)
    async with hosting(ann, genesis) as talk:
        room.place(ann.keystore.public_key).announce(
            presence_of(ann, graph="lab", chain_id=chain_id(genesis), port=talk.transport.port)
        )

        assert await gather(lobby(bob, room, QUICK)) == [genesis]


async def test_a_chain_that_claims_our_account_and_changed_it_is_refused(tmp_path: Path) -> None:
    ann, bob = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    room, genesis = FakeRoom(), document(bob)
    # Bob offers its machine to jobs, and in this document it does not.
    async with AsyncExitStack() as stack:
        talk = await stack.enter_async_context(hosting(ann, genesis))
        room.place(ann.keystore.public_key).announce(
            presence_of(ann, graph="lab", chain_id=chain_id(genesis), port=talk.transport.port)
        )
        with pytest.raises(ExceptionGroup) as raised:
            await gather(lobby(bob, room, QUICK))

    assert raised.group_contains(FoundedOtherwise, match="not what we signed")


async def test_two_chains_of_one_name_are_named_with_the_remedy(tmp_path: Path) -> None:
    ann, bob, eve = (newcomer(tmp_path, number) for number in (1, 2, 3))
    room, genesis = FakeRoom(), document(ann)
    for who, chain in ((ann, chain_id(genesis)), (eve, OTHER_CHAIN)):
        room.place(who.keystore.public_key).announce(
            presence_of(who, graph="lab", chain_id=chain, port=9)
        )
    with pytest.raises(ExceptionGroup) as raised:
        await gather(lobby(bob, room, QUICK))

    assert raised.group_contains(SeveralChains, match="--join LINE")


async def test_who_is_alone_says_what_it_waits_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alone = lobby(newcomer(tmp_path, 1), FakeRoom(), QUICK)
    with caplog.at_level(logging.INFO):
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(alone.genesis())
            await until(lambda: "--founders 1" in caplog.text)
            waiting.cancel()

    assert "1 here; others join by `lc-node run --graph lab`" in caplog.text


async def test_one_founds_alone_if_its_owner_says_so(tmp_path: Path) -> None:
    ann = newcomer(tmp_path, 1)

    (genesis,) = await gather(lobby(ann, FakeRoom(), Customs(founders=1)))

    assert genesis.members == (ann.keystore.public_key,)


async def test_who_talks_nonsense_in_the_lobby_is_hung_up_on_and_founds_nothing(
    tmp_path: Path,
) -> None:
    ann, eve = newcomer(tmp_path, 1), newcomer(tmp_path, 2)
    room = FakeRoom()
    nonsense = {Topic.FOUNDING: garbage}
    async with talking(eve, lobby_of("lab"), answerers=nonsense, port=0) as talk:
        room.place(eve.keystore.public_key).announce(
            presence_of(eve, graph="lab", chain_id=None, port=talk.transport.port)
        )
        async with asyncio.TaskGroup() as tasks:
            waiting = tasks.create_task(lobby(ann, room, QUICK).genesis())
            await until(lambda: ann.keystore.public_key in talk.transport.peers)
            await until(lambda: ann.keystore.public_key not in talk.transport.peers)
            waiting.cancel()

    assert not ann.home.genesis_path.exists()
