"""Transactions among real nodes: pushed, announced, pulled; and what it costs to abuse that."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from lc_node.adapters.zmq_transport import ZmqTransport
from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.ports.transport import Channel
from lc_node.wire.gossip import message_id
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import LIMITS, TOGETHER_MAX, TRANSACTIONS, WINDOW
from lc_node.wire.mesh import PUSHERS_MAX, TOLD
from lc_node.wire.messages import (
    Announce,
    Keepalive,
    Message,
    Prune,
    Transactions,
    Want,
    decode_message,
    encode_message,
)
from lc_node.wire.neighbours import PUSHED_TO
from lc_node.wire.pulls import PROMISE
from lc_node.wire.score import BAN, BAN_POINTS, POINTS, Offence, Verdict
from tests.peer_nodes import Node, Recorder, Who, node, people, transport, until
from tests.runtime.bench import HandClock

M = message_id(b"transfer")
LARGE: Final = 60_000
"""The size of transactions that are to fill something."""


ROOM: Final = TRANSACTIONS.bytes // LARGE
"""Transactions of one peer that find room, when they are of the size that a test sends."""


class Busy(Recorder):
    """Takes a first transaction, and no other before it is free."""

    def __init__(self) -> None:
        super().__init__()
        self.is_free = asyncio.Event()

    async def on_transaction(self, peer: PublicKey, raw: bytes) -> Verdict:
        await self.is_free.wait()
        return await super().on_transaction(peer, raw)


class Stranger:
    """Speaks to one node as it likes, and keeps what that says about transactions."""

    def __init__(self, own: ZmqTransport, to: PublicKey) -> None:
        self._own = own
        self._to = to

    def say(self, message: Message, times: int = 1) -> None:
        frame = encode_message(message)
        for _ in range(times):
            self._own.send(self._to, Channel.BULK, frame)

    async def hears(self, kind: type[Message]) -> Message:
        """Return the next message of a kind."""
        while True:
            inbound = await self._own.receive(Channel.BULK)
            message = decode_message(inbound.frame)
            if isinstance(message, kind):
                return message


@asynccontextmanager
async def stranger(who: Who, to: Node) -> AsyncIterator[Stranger]:
    """Connect somebody who is no node of ours, for as long as the context lasts."""
    async with transport(who, peers=[to.address], port=None) as own:
        await until(lambda: _is_linked(to, who.key))
        await until(lambda: all(own._switchboard.links.route(to.who.key, c) for c in Channel))
        yield Stranger(own, to.who.key)


def _is_linked(one: Node, peer: PublicKey) -> bool:
    links = one.transport._switchboard.links
    return all(links.route(peer, channel) for channel in Channel)


def score_of(one: Node, peer: PublicKey) -> int:
    return next((info.score for info in one.network.peers() if info.peer == peer), 0)


async def test_with_more_peers_than_are_pushed_to_the_others_pull_what_is_announced(
    tmp_path: Path,
) -> None:
    source, hub, *leaves = people(1 + PUSHED_TO + TOLD)
    async with AsyncExitStack() as stack:
        center = await stack.enter_async_context(node(hub, tmp_path))
        others = [
            await stack.enter_async_context(node(who, tmp_path, peers=[center.address], port=None))
            for who in (source, *leaves)
        ]
        for one in others:
            await until(partial(_is_linked, center, one.who.key))
            await until(partial(_is_linked, one, hub.key))

        others[0].network.broadcast_transaction(b"transfer")
        await until(lambda: all(one.heard.transactions for one in others[1:]))
        assert {tuple(one.heard.transactions) for one in others[1:]} == {((hub.key, b"transfer"),)}

        assert len(center.network._spreading._mesh.pushed_to(Millis(0))) == PUSHED_TO
        assert {score_of(center, one.who.key) for one in others} == {0}


async def test_a_newcomer_hears_of_what_is_waiting(tmp_path: Path) -> None:
    ann, bob = people(2)
    waiting = Recorder(waiting={M: b"transfer"})
    async with (
        node(ann, tmp_path, heard=waiting) as a,
        node(bob, tmp_path, peers=[a.address], port=None) as b,
    ):
        await until(lambda: b.heard.transactions == [(ann.key, b"transfer")])


async def test_a_peer_that_announces_and_does_not_deliver_loses_score(tmp_path: Path) -> None:
    ann, eve = people(2)
    clock = HandClock()
    async with node(ann, tmp_path, clock=clock) as a, stranger(eve, a) as liar:
        liar.say(Announce(messages=(M,)))
        assert await liar.hears(Want) == Want(messages=(M,))
        clock.time += PROMISE

        await until(lambda: score_of(a, eve.key) == POINTS[Offence.BROKEN_PROMISE])


async def test_what_a_liar_does_not_deliver_is_got_from_another_announcer(tmp_path: Path) -> None:
    ann, bob, eve = people(3)
    async with (
        node(ann, tmp_path) as a,
        stranger(eve, a) as liar,
        stranger(bob, a) as honest,
    ):
        liar.say(Announce(messages=(M,)))
        await liar.hears(Want)
        honest.say(Announce(messages=(M,)))
        assert await honest.hears(Want) == Want(messages=(M,))
        honest.say(Transactions(raws=(b"transfer",)))

        await until(lambda: a.heard.transactions == [(bob.key, b"transfer")])


async def test_a_peer_that_asks_for_quiet_is_told_and_not_pushed_to(tmp_path: Path) -> None:
    ann, bob, eve = people(3)
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address], port=None) as b,
        stranger(eve, a) as quiet,
    ):
        await until(lambda: _is_linked(b, ann.key))
        quiet.say(Prune())
        await until(lambda: a.network._spreading._mesh.pushed_to(Millis(0)) == (bob.key,))
        b.network.broadcast_transaction(b"transfer")
        assert await quiet.hears(Announce) == Announce(messages=(M,))
        quiet.say(Want(messages=(M,)))

        assert await quiet.hears(Transactions) == Transactions(raws=(b"transfer",))


async def test_who_pushes_beyond_need_is_asked_for_quiet(tmp_path: Path) -> None:
    ann, *others = people(PUSHERS_MAX + 3)
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(node(ann, tmp_path))
        pushers = [await stack.enter_async_context(stranger(who, a)) for who in others]
        for pusher in pushers:
            pusher.say(Transactions(raws=(b"transfer",)))
            await until(lambda: a.heard.transactions != [])
        # Each of them has pushed what all others push too; who was last is one too many.
        await until(lambda: len(a.network._spreading._mesh._pruned) == 1)


async def test_the_same_transaction_over_and_over_ends_in_a_ban(tmp_path: Path) -> None:
    ann, eve = people(2)
    async with node(ann, tmp_path) as a, stranger(eve, a) as flooder:
        flooder.say(Transactions(raws=(b"transfer",)), BAN_POINTS // POINTS[Offence.REPEATED] + 20)

        await until(lambda: a.transport.peers == ())
        assert a.heard.transactions == [(eve.key, b"transfer")]


async def test_a_flood_of_announcements_is_cut_at_the_limit_of_its_kind(tmp_path: Path) -> None:
    ann, eve = people(2)
    limit: Final = LIMITS[Kind.ANNOUNCE].messages
    async with node(ann, tmp_path, clock=HandClock()) as a, stranger(eve, a) as flooder:
        for number in range(limit + 7):
            flooder.say(Announce(messages=(Digest(number.to_bytes(32, "big")),)))

        await until(lambda: score_of(a, eve.key) == 7 * POINTS[Offence.OVER_LIMIT])
        assert len(a.network._spreading._mesh._pulls) == limit


async def test_what_comes_together_goes_on_together(tmp_path: Path) -> None:
    ann, bob, eve = people(3)
    several = Transactions(raws=(b"first", b"second", b"third"))
    async with (
        node(ann, tmp_path) as a,
        stranger(eve, a) as pusher,
        stranger(bob, a) as hearer,
    ):
        pusher.say(several)

        assert await hearer.hears(Transactions) == several
        assert a.heard.transactions == [(eve.key, raw) for raw in several.raws]


async def test_each_transaction_counts_however_many_share_a_frame(tmp_path: Path) -> None:
    ann, eve = people(2)
    frames: Final = LIMITS[Kind.TRANSACTIONS].messages // TOGETHER_MAX
    async with node(ann, tmp_path, clock=HandClock()) as a, stranger(eve, a) as flooder:
        for frame in range(frames + 2):
            some = range(frame * TOGETHER_MAX, (frame + 1) * TOGETHER_MAX)
            flooder.say(Transactions(raws=tuple(number.to_bytes(4, "big") for number in some)))

        await until(lambda: score_of(a, eve.key) == 2 * POINTS[Offence.OVER_LIMIT])


async def test_who_has_more_to_send_than_its_peer_admits_announces_it_and_is_not_blamed(
    tmp_path: Path,
) -> None:
    ann, bob = people(2)
    clock = HandClock()
    frames: Final = LIMITS[Kind.TRANSACTIONS].bytes * 3 // 4 // LARGE
    async with (
        node(ann, tmp_path, clock=clock) as a,
        node(bob, tmp_path, peers=[a.address], port=None, clock=clock) as b,
    ):
        await until(lambda: _is_linked(b, ann.key))
        for number in range(frames + 5):
            b.network.broadcast_transaction(number.to_bytes(2, "big") * (LARGE // 2))
            await until(lambda n=number: len(a.heard.transactions) >= min(n + 1, frames))  # type: ignore[misc]
        await until(lambda: len(a.network._spreading._mesh._pulls) == 0)
        assert len(a.heard.transactions) == frames
        clock.time += WINDOW

        await until(lambda: len(a.heard.transactions) == frames + 5)
        assert score_of(a, bob.key) == 0


async def test_what_found_no_room_is_taken_when_it_comes_again(tmp_path: Path) -> None:
    ann, bob, eve = people(3)
    busy = Busy()
    many = [number.to_bytes(2, "big") * (LARGE // 2) for number in range(200)]
    async with (
        node(ann, tmp_path, heard=busy) as a,
        stranger(eve, a) as first,
        stranger(bob, a) as second,
    ):
        for raw in many:
            first.say(Transactions(raws=(raw,)))
        await until(lambda: a.network._spreading._waiting.dropped == len(many) - ROOM - 1)
        second.say(Transactions(raws=(many[-1],)))
        await until(lambda: len(a.network._spreading) == ROOM + 1)
        busy.is_free.set()

        await until(lambda: (bob.key, many[-1]) in busy.transactions)


async def test_a_banned_peer_returns_when_its_ban_is_over(tmp_path: Path) -> None:
    ann, bob = people(2)
    clock = HandClock()
    async with (
        node(ann, tmp_path, clock=clock) as a,
        node(bob, tmp_path, peers=[a.address], port=None),
    ):
        await until(lambda: a.network.connected == (bob.key,))
        a.network.offend(bob.key, Offence.BAD_CHUNK)
        await until(lambda: a.network.connected == ())
        clock.time += BAN

        await until(lambda: a.network.connected == (bob.key,))


async def test_a_ban_by_the_chain_does_not_end_with_the_ban_for_misbehaviour(
    tmp_path: Path,
) -> None:
    ann, bob = people(2)
    clock = HandClock()
    async with node(ann, tmp_path, clock=clock) as a:
        a.network.offend(bob.key, Offence.BAD_CHUNK)
        a.network.ban(bob.key)
        clock.time += BAN
        await until(lambda: not a.network._accounts.is_banned(bob.key))

        assert a.transport._switchboard.is_forbidden(bob.key)


async def test_a_pardon_by_the_chain_does_not_end_a_ban_for_misbehaviour(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a:
        a.network.offend(bob.key, Offence.BAD_CHUNK)
        a.network.ban(bob.key)
        a.network.unban(bob.key)

        assert a.transport._switchboard.is_forbidden(bob.key)


async def test_a_score_survives_a_reconnect(tmp_path: Path) -> None:
    ann, eve = people(2)
    async with node(ann, tmp_path, clock=HandClock()) as a:
        async with stranger(eve, a) as rude:
            rude.say(Keepalive())
            a.network.offend(eve.key, Offence.MALFORMED)
        await until(lambda: a.network.connected == ())
        async with stranger(eve, a):
            assert score_of(a, eve.key) == POINTS[Offence.MALFORMED]
