"""Networks over real sockets: what is said reaches who should hear it, and misbehaviour costs."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from lc_node.chain.types import MillisSpan
from lc_node.ports.transport import Channel, Inbound
from lc_node.runtime.network import PeerSilent, Verdict
from lc_node.wire.kinds import Kind
from lc_node.wire.messages import Request, Response, encode_message
from lc_node.wire.score import BAN_POINTS, POINTS, Offence
from tests.peer_nodes import Node, Recorder, node, people, until


async def connected(*nodes: Node) -> None:
    """Wait until each node has a session with all others, on both channels."""
    for one in nodes:
        for other in nodes:
            if one is not other:
                await until(partial(_reaches, one, other))


def _reaches(one: Node, other: Node) -> bool:
    links = one.transport._switchboard.links
    return all(links.route(other.who.key, channel) for channel in Channel)


async def test_a_consensus_message_to_all_reaches_every_peer(tmp_path: Path) -> None:
    ann, bob, eve = people(3)
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address]) as b,
        node(eve, tmp_path, peers=[a.address, b.address]) as e,
    ):
        await connected(a, b, e)

        assert a.network.send_consensus(None, b"vote") == 2
        await until(lambda: bool(b.heard.consensus and e.heard.consensus))
        assert b.heard.consensus == e.heard.consensus == [(ann.key, b"vote")]


async def test_what_a_guest_says_costs_no_look_at_all_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob, guest = people(3)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        await until(lambda: (bob.key, True) in a.heard.changes)
        monkeypatch.setattr(a.transport, "connections", lambda: pytest.fail("looked at"))
        frame = encode_message(Request(number=1, topic=3, payload=b""))
        a.network._take(Inbound(peer=guest.key, channel=Channel.BULK, frame=frame), a.heard)
        await until(lambda: bool(a.heard.requests))

    assert a.heard.requests == [(guest.key, 3, b"")]


async def test_a_consensus_message_to_one_reaches_that_peer(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)

        assert b.network.send_consensus(ann.key, b"vote") == 1
        await until(lambda: a.heard.consensus == [(bob.key, b"vote")])


async def test_a_transaction_is_passed_on_to_those_who_lack_it_and_heard_once(
    tmp_path: Path,
) -> None:
    ann, bob, eve = people(3)
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address]) as b,
        node(eve, tmp_path, peers=[b.address]) as e,
    ):
        await connected(a, b)
        await connected(b, e)
        a.network.broadcast_transaction(b"transfer")
        await until(lambda: bool(e.heard.transactions))
        b.network.broadcast_transaction(b"transfer")
        e.network.broadcast_transaction(b"another")
        await until(lambda: len(a.heard.transactions) == 1)

        assert b.heard.transactions == [(ann.key, b"transfer"), (eve.key, b"another")]
        assert e.heard.transactions == [(bob.key, b"transfer")]


async def test_a_transaction_that_the_mempool_ignores_goes_no_further(tmp_path: Path) -> None:
    ann, bob, eve = people(3)
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address], heard=Recorder(verdict=Verdict.IGNORE)) as b,
        node(eve, tmp_path, peers=[b.address]) as e,
    ):
        await connected(a, b)
        await connected(b, e)
        a.network.broadcast_transaction(b"transfer")
        await until(lambda: bool(b.heard.transactions))
        b.network.broadcast_transaction(b"later")
        await until(lambda: bool(e.heard.transactions))

        assert e.heard.transactions == [(bob.key, b"later")]


async def test_a_peer_that_sends_rejected_transactions_is_banned(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with (
        node(ann, tmp_path, heard=Recorder(verdict=Verdict.REJECT)) as a,
        node(bob, tmp_path, peers=[a.address], port=None) as b,
    ):
        await connected(a, b)
        for number in range(BAN_POINTS // POINTS[Offence.REJECTED] + 1):
            b.network.broadcast_transaction(b"%d" % number)

        await until(lambda: a.transport.peers == ())


async def test_a_peer_that_sends_garbage_is_banned(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        for _ in range(BAN_POINTS // POINTS[Offence.MALFORMED] + 1):
            b.transport.send(ann.key, Channel.BULK, bytes((Kind.REQUEST,)) + b"garbage")

        await until(lambda: a.transport.peers == ())


async def test_a_vote_on_the_bulk_channel_is_an_offence(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        b.transport.send(ann.key, Channel.BULK, bytes((Kind.CONSENSUS,)) + b"vote")

        await until(lambda: bool(a.network.peers()[0].score))
        assert a.heard.consensus == []


async def test_an_answer_to_no_question_is_an_offence(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        b.network.tell(ann.key, Response(number=3, found=True, payload=b"unasked"))

        await until(lambda: bool(a.network.peers()[0].score))


async def test_a_request_is_answered_by_the_handler_of_the_peer(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with (
        node(ann, tmp_path, heard=Recorder(answer=b"blocks")) as a,
        node(bob, tmp_path, peers=[a.address], port=None) as b,
    ):
        await connected(a, b)

        assert await b.network.request(ann.key, 1, b"from 5") == b"blocks"
        assert a.heard.requests == [(bob.key, 1, b"from 5")]


async def test_a_request_that_has_no_answer_returns_none(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)

        assert await b.network.request(ann.key, 1, b"from 5") is None


async def test_a_request_to_a_peer_that_is_not_connected_fails_at_once(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a:
        with pytest.raises(PeerSilent):
            await a.network.request(bob.key, 1, b"from 5")


async def test_a_request_fails_when_its_peer_goes(tmp_path: Path) -> None:
    ann, bob = people(2)

    class Thinker(Recorder):
        async def on_request(self, *_question: object) -> bytes | None:
            await asyncio.Event().wait()
            return None

    async with (
        node(bob, tmp_path) as b,
        node(ann, tmp_path, peers=[b.address], port=None, heard=Thinker()) as a,
    ):
        await connected(a, b)
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(_silence(b, a))
            await until(lambda: bool(b.network._questions._open))
            a.transport.forbid(bob.key)

        assert asking.result()


async def _silence(asker: Node, asked: Node) -> bool:
    """Return whether a request ends as unanswered long before its span is over."""
    try:
        await asker.network.request(asked.who.key, 1, b"", within=MillisSpan(60_000))
    except PeerSilent:
        return True
    return False


async def test_peers_show_height_address_and_traffic(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        await until(lambda: b.network.peers()[0].height == 7)

        (info,) = b.network.peers()

    assert (info.peer, info.is_up, info.refusal) == (ann.key, True, None)
    assert info.address == f"127.0.0.1:{a.transport.port}"
    assert min(info.since, info.bytes_in, info.bytes_out) > 0


async def test_handlers_hear_of_peers_that_come_and_go(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a:
        async with node(bob, tmp_path, peers=[a.address], port=None):
            await until(lambda: a.heard.changes == [(bob.key, True)])

        await until(lambda: a.heard.changes == [(bob.key, True), (bob.key, False)])


async def test_a_banned_identity_stays_out_until_it_is_unbanned(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        a.network.ban(bob.key)
        await until(lambda: b.network.peers()[0].refusal is not None)
        assert a.network.connected == ()

        a.network.unban(bob.key)
        await until(lambda: a.network.connected == (bob.key,))
