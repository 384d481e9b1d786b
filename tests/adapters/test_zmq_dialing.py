"""Dialing at run time over real sockets: whom, how long, and for whom there is room."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import count

import pytest
import zmq

from lc_node.adapters.zmq_dialer import pause_seconds
from lc_node.adapters.zmq_transport import ZmqTransport
from lc_node.chain.types import PublicKey
from lc_node.ports.transport import Channel, Connection, Refusal
from lc_node.wire.endpoints import Reach
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import DIALED_MAX
from tests.peer_nodes import Who, people, transport, until

FRAME = bytes((Kind.CONSENSUS,)) + b"a vote"


def connection(own: ZmqTransport, peer: PublicKey) -> Connection | None:
    return next((one for one in own.connections() if one.peer == peer), None)


async def test_a_peer_that_is_dialed_while_running_is_reached_on_both_channels() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, port=None) as b:
        assert b.dial(ann.at(a.port), keep=True)

        await until(lambda: all(b.send(ann.key, channel, FRAME) for channel in Channel))


async def test_a_peer_that_was_dialed_before_the_start_is_reached() -> None:
    ann, bob = people(2)
    async with transport(ann) as a:
        made = transport(bob, port=None, before=lambda b: b.dial(ann.at(a.port), keep=True))
        async with made as b:
            await until(lambda: b.peers == (ann.key,))


async def test_both_ends_know_who_has_dialed_and_from_where() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, port=None) as b:
        b.dial(ann.at(a.port), keep=True)
        await until(lambda: a.peers == (bob.key,) and b.peers == (ann.key,))
        out, into = connection(b, ann.key), connection(a, bob.key)

    assert out is not None
    assert into is not None
    assert (out.is_outbound, out.is_dialed, out.is_listed) == (True, True, False)
    assert (into.is_outbound, into.is_dialed, into.is_listed) == (False, False, False)
    assert out.host == into.host == into.address == "127.0.0.1"
    assert out.address == f"127.0.0.1:{ann.at(a.port).port}"


async def test_undialing_hangs_up_and_forgets() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, port=None) as b:
        b.dial(ann.at(a.port), keep=True)
        await until(lambda: a.peers == (bob.key,))
        b.undial(ann.key)

        await until(lambda: a.peers == b.peers == ())
        assert connection(b, ann.key) is None


async def test_what_is_not_to_be_kept_is_given_up_after_one_failure_and_says_why() -> None:
    ann, bob = people(2)
    async with transport(bob, port=None) as b:
        async with transport(ann) as a:
            gone = ann.at(a.port)
        b.dial(gone, keep=False)

        await until(lambda: connection(b, ann.key) is None)
        assert b.refusal(ann.key) is Refusal.NO_ANSWER


async def test_what_is_not_to_be_kept_is_given_up_when_its_session_ends() -> None:
    ann, bob = people(2)
    async with transport(bob, port=None) as b:
        async with transport(ann) as a:
            b.dial(ann.at(a.port), keep=False)
            await until(lambda: b.peers == (ann.key,))

        await until(lambda: connection(b, ann.key) is None)


async def test_what_is_to_be_kept_is_dialed_until_it_answers() -> None:
    ann, bob = people(2)
    async with transport(bob, port=None) as b:
        async with transport(ann) as reserved:
            port = reserved.port
        b.dial(ann.at(port), keep=True)
        await until(lambda: b.refusal(ann.key) is Refusal.NO_ANSWER)
        async with transport(ann, port=port):
            await until(lambda: b.peers == (ann.key,))
            assert b.refusal(ann.key) is None


async def test_a_session_stays_when_it_is_decided_to_keep_it() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, port=None) as b:
        b.dial(ann.at(a.port), keep=False)
        await until(lambda: b.peers == (ann.key,))
        before = connection(b, ann.key)
        b.dial(ann.at(a.port), keep=True)
        await until(lambda: b.send(ann.key, Channel.CONSENSUS, FRAME))
        after = connection(b, ann.key)

    assert before is not None
    assert after is not None
    assert before.since == after.since


async def test_a_peer_that_has_moved_is_dialed_where_it_is_now() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, port=None) as b:
        async with transport(ann) as elsewhere:
            before = ann.at(elsewhere.port)
        b.dial(before, keep=True)
        await until(lambda: b.refusal(ann.key) is Refusal.NO_ANSWER)
        b.dial(ann.at(a.port), keep=True)

        await until(lambda: b.peers == (ann.key,))


async def test_a_listed_peer_stays_as_the_owner_has_written_it() -> None:
    ann, bob = people(2)
    async with transport(ann) as a:
        listed = ann.at(a.port)
        async with transport(bob, peers=[listed], port=None) as b:
            assert b.dial(replace(listed, port=1), keep=False)
            b.undial(ann.key)

            await until(lambda: b.peers == (ann.key,))


async def test_nobody_dials_oneself() -> None:
    (ann,) = people(1)
    async with transport(ann) as a:
        assert not a.dial(ann.at(a.port), keep=True)


async def test_no_more_are_dialed_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    ann, bob, eve = people(3)
    monkeypatch.setattr("lc_node.adapters.zmq_dialing.DIALED_MAX", 1)
    async with transport(ann) as a, transport(bob, port=None) as b:
        assert b.dial(ann.at(a.port), keep=True)
        assert not b.dial(eve.at(a.port), keep=True)


async def fill(stack: AsyncExitStack, full: ZmqTransport, who: Who, others: Sequence[Who]) -> None:
    """Let strangers dial a transport until all are there."""
    for other in others:
        made = transport(other, peers=[who.at(full.port)], port=None)
        await stack.enter_async_context(made)
    await until(lambda: len(full.peers) == len(others))


async def test_strangers_who_dial_in_leave_room_for_whom_we_dial_and_for_whom_we_welcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob, cem, eve, fay, gus = people(6)
    monkeypatch.setattr("lc_node.adapters.zmq_switchboard.PEERS_MAX", 2)
    async with transport(ann) as a, transport(bob) as b, AsyncExitStack() as stack:
        await fill(stack, a, ann, (eve, fay))
        late = await stack.enter_async_context(transport(cem, peers=[ann.at(a.port)], port=None))
        await until(lambda: late.refusal(ann.key) is Refusal.FULL)

        a.dial(bob.at(b.port), keep=True)
        a.welcome({gus.key})
        await stack.enter_async_context(transport(gus, peers=[ann.at(a.port)], port=None))
        await until(lambda: bob.key in a.peers and gus.key in a.peers)
        assert len(a.peers) == 4


async def test_who_finds_no_seat_does_not_take_the_room_of_those_who_only_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, cem, eve = people(3)
    monkeypatch.setattr("lc_node.adapters.zmq_switchboard.PEERS_MAX", 1)
    async with transport(ann) as a, AsyncExitStack() as stack:
        await fill(stack, a, ann, (eve,))
        late = await stack.enter_async_context(transport(cem, peers=[ann.at(a.port)], port=None))
        await until(lambda: late.refusal(ann.key) is Refusal.FULL)

        assert not a.send(cem.key, Channel.BULK, b"")
        assert cem.key not in a._switchboard.links.guests()


async def test_a_node_with_many_listed_peers_may_dial_all_of_them() -> None:
    ann, *others = people(61)
    monitored = 3
    async with transport(ann, peers=[one.at(1) for one in others]) as a:
        sockets = a._context.get(zmq.MAX_SOCKETS)

    assert sockets > len(Channel) * monitored * (len(others) + DIALED_MAX)


async def test_a_guest_whose_invitation_has_ended_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob = people(2)
    monkeypatch.setattr("lc_node.adapters.zmq_transport._ADMISSION_SECONDS", 0.01)
    welcome = {bob.key}
    async with (
        transport(ann, admits=lambda peer, _tickets: peer in welcome) as a,
        transport(bob, peers=[ann.at(a.port)], port=None) as b,
    ):
        await until(lambda: bob.key in a.peers and ann.key in b.peers)
        welcome.clear()

        await until(lambda: a.peers == () and b.refusal(ann.key) is Refusal.NOT_INVITED)


@pytest.mark.parametrize(
    ("refusal", "seconds"), [(Refusal.NO_ANSWER, 2.0), (Refusal.BANNED, 10.0)]
)
def test_whom_nobody_reaches_is_dialed_more_often_than_who_has_refused(
    refusal: Refusal, seconds: float
) -> None:
    pauses = [pause_seconds(failures, refusal) for failures in range(20)]

    assert pauses == sorted(pauses)
    assert pauses[-1] == seconds


async def test_strangers_of_one_network_leave_room_for_strangers_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, cem, eve, fay = people(4)
    monkeypatch.setattr("lc_node.adapters.zmq_switchboard.PEERS_PER_NETWORK_MAX", 2)
    monkeypatch.setattr("lc_node.adapters.zmq_switchboard.reach_of", lambda _host: Reach.WORLD)
    async with transport(ann) as a, AsyncExitStack() as stack:
        await fill(stack, a, ann, (eve, fay))
        late = await stack.enter_async_context(transport(cem, peers=[ann.at(a.port)], port=None))
        await until(lambda: late.refusal(ann.key) is Refusal.FULL)

        monkeypatch.setattr("lc_node.adapters.zmq_switchboard.group_of", networks_apart())
        await until(lambda: cem.key in a.peers)


def networks_apart() -> Callable[[str], int]:
    """Return what takes every host, each time, for one in a network of its own."""
    counted = count()
    return lambda _host: next(counted)
