"""Peers over real sockets: who gets a session, who does not, and what happens to frames."""

import asyncio
from contextlib import AsyncExitStack

import pytest
import zmq
import zmq.asyncio

from lc_node.adapters.zmq_sockets import generate_transport_keys, open_dialer
from lc_node.adapters.zmq_transport import ZmqTransport
from lc_node.chain.types import PublicKey
from lc_node.ports.transport import Channel, PeerAddress, Refusal
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import FRAME_BYTES_MAX, SENDING_BYTES
from lc_node.wire.messages import PROTOCOL_VERSION, Hello, Refused, decode_message, encode_message
from lc_node.wire.session import Role, identity_of
from tests.peer_nodes import (
    CHAIN,
    OTHER_CHAIN,
    PATIENCE_SECONDS,
    Who,
    people,
    transport,
    until,
)

FRAME = bytes((Kind.CONSENSUS,)) + b"a vote"
BIG = bytes((Kind.CHUNK,)) + bytes(1024 * 1024)


async def refusal_of(dialer: ZmqTransport, peer: PublicKey) -> Refusal:
    """Wait until a transport knows why it has no session with a peer."""
    seen: list[Refusal] = []

    def known() -> bool:
        found = [one for one in dialer.connections() if one.peer == peer]
        seen[:] = [one.refusal for one in found if one.refusal is not None]
        return bool(seen)

    await until(known)
    return seen[0]


async def test_two_nodes_greet_and_exchange_frames_on_both_channels() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, peers=[ann.at(a.port)], port=None) as b:
        await until(lambda: b.send(ann.key, Channel.CONSENSUS, FRAME))
        await until(lambda: b.send(ann.key, Channel.BULK, FRAME))

        first = await a.receive(Channel.CONSENSUS)
        second = await a.receive(Channel.BULK)

    assert (first.peer, first.frame) == (bob.key, FRAME)
    assert (second.peer, second.frame) == (bob.key, FRAME)


async def test_a_node_that_only_dials_out_is_answered_along_its_own_connection() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, peers=[ann.at(a.port)], port=None) as b:
        await until(lambda: a.send(bob.key, Channel.CONSENSUS, FRAME))

        assert (await b.receive(Channel.CONSENSUS)).frame == FRAME


async def test_a_node_of_another_chain_is_refused_and_can_say_why() -> None:
    ann, bob = people(2)
    async with (
        transport(ann, chain_id=OTHER_CHAIN) as a,
        transport(bob, peers=[ann.at(a.port)], port=None) as b,
    ):
        assert await refusal_of(b, ann.key) is Refusal.OTHER_CHAIN
        assert a.peers == ()


async def test_a_node_that_does_not_hold_the_listed_transport_key_gets_no_connection() -> None:
    ann, bob = people(2)
    stranger = generate_transport_keys()
    async with transport(ann) as a:
        listed = PeerAddress(
            public_key=ann.key, transport_key=stranger.public, host="127.0.0.1", port=a.port
        )
        async with transport(bob, peers=[listed], port=None) as b:
            assert await refusal_of(b, ann.key) is Refusal.NO_ANSWER


async def test_another_node_at_the_address_of_a_peer_is_not_taken_for_it() -> None:
    ann, bob, eve = people(3)
    impostor = Who(eve.signer, ann.keys)
    async with transport(impostor) as e, transport(bob, peers=[ann.at(e.port)], port=None) as b:
        assert await refusal_of(b, ann.key) is Refusal.OTHER_NODE


async def raw_dialer(stack: AsyncExitStack, who: Who, address: PeerAddress) -> zmq.asyncio.Socket:
    context = zmq.asyncio.Context()
    stack.callback(context.destroy, linger=0)
    socket = open_dialer(context, who.keys, address)
    socket.connect(f"tcp://{address.host}:{address.port}")
    return socket


def hello_of(who: Who, proven: Who) -> bytes:
    """Return a greeting in one node's name with the proof that another may show."""
    proof = identity_of(proven.signer, CHAIN, proven.keys.public).proof
    return encode_message(
        Hello(
            version=PROTOCOL_VERSION,
            chain_id=CHAIN,
            channel=Channel.CONSENSUS,
            node_key=who.key,
            proof=proof,
            tickets=(),
        )
    )


async def test_a_greeting_replayed_over_another_transport_key_proves_nothing() -> None:
    ann, bob, eve = people(3)
    async with transport(ann) as a, AsyncExitStack() as stack:
        socket = await raw_dialer(stack, eve, ann.at(a.port))
        await socket.send(hello_of(bob, bob))

        answer = decode_message((await socket.recv_multipart())[0])

        assert answer == Refused(reason=Refusal.BAD_PROOF)
        assert a.peers == ()


async def test_a_frame_before_the_greeting_is_answered_with_a_refusal() -> None:
    ann, eve = people(2)
    async with transport(ann) as a, AsyncExitStack() as stack:
        socket = await raw_dialer(stack, eve, ann.at(a.port))
        await socket.send(FRAME)

        answer = decode_message((await socket.recv_multipart())[0])

        assert answer == Refused(reason=Refusal.GREET_FIRST)


async def test_an_oversize_frame_ends_the_connection_before_it_is_read() -> None:
    ann, eve = people(2)
    async with transport(ann) as a, AsyncExitStack() as stack:
        socket = await raw_dialer(stack, eve, ann.at(a.port))
        await socket.send(hello_of(eve, eve))
        await socket.recv_multipart()
        await until(lambda: a.peers == (eve.key,))
        await socket.send(bytes(FRAME_BYTES_MAX + 1))

        await until(lambda: a.peers == ())
        assert a.queued() == {Channel.CONSENSUS: 0, Channel.BULK: 0}


async def test_a_peer_that_does_not_read_fills_its_own_queue_and_delays_nobody() -> None:
    ann, eve = people(2)
    async with transport(ann) as a, AsyncExitStack() as stack:
        socket = await raw_dialer(stack, eve, ann.at(a.port))
        await socket.send(hello_of(eve, eve))
        await until(lambda: a.peers == (eve.key,))
        sent = [a.send(eve.key, Channel.CONSENSUS, bytes(BIG)) for _ in range(200)]

    assert sent[0]
    assert not all(sent)
    assert sum(sent) * len(BIG) < 4 * SENDING_BYTES


async def test_a_frame_to_an_unknown_peer_is_not_sent() -> None:
    ann, bob = people(2)
    async with transport(ann) as a:
        assert not a.send(bob.key, Channel.CONSENSUS, FRAME)


async def test_a_session_comes_back_after_the_peer_was_started_again_on_its_port() -> None:
    ann, bob = people(2)
    async with transport(ann) as a:
        port = a.port
        async with transport(bob, peers=[ann.at(port)], port=None) as b:
            await until(lambda: b.peers == (ann.key,))
    async with transport(bob, peers=[ann.at(port)], port=None) as b:
        await until(lambda: bool(b.connections()[0].refusal))
        async with transport(ann, port=port):
            await until(lambda: b.peers == (ann.key,))


async def test_a_dialer_notices_at_once_that_the_listener_is_gone() -> None:
    ann, bob = people(2)
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(transport(ann))
        async with transport(bob, peers=[ann.at(a.port)], port=None) as b:
            await until(lambda: b.peers == (ann.key,))
            await stack.aclose()

            await until(lambda: b.peers == ())


async def test_a_listener_notices_that_the_dialer_is_gone() -> None:
    ann, bob = people(2)
    async with transport(ann) as a:
        async with transport(bob, peers=[ann.at(a.port)], port=None):
            await until(lambda: a.peers == (bob.key,))

        await until(lambda: a.peers == ())


async def test_two_nodes_that_dial_each_other_keep_what_the_lower_key_dialed() -> None:
    ann, bob = people(2)
    async with transport(bob) as reserved:
        port = reserved.port
    async with (
        transport(ann, peers=[bob.at(port)]) as a,
        transport(bob, peers=[ann.at(a.port)], port=port) as b,
    ):

        def settled() -> bool:
            return all(
                [link.role for link in one._switchboard.links._links.values()]
                == [role] * len(Channel)
                for one, role in ((a, Role.DIALER), (b, Role.LISTENER))
            )

        await until(settled)
        assert a.peers == (bob.key,)
        assert b.peers == (ann.key,)


async def test_a_forbidden_peer_is_hung_up_on_and_told_why() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, peers=[ann.at(a.port)], port=None) as b:
        await until(lambda: a.peers == (bob.key,))
        a.forbid(bob.key)

        assert await refusal_of(b, ann.key) is Refusal.BANNED
        assert a.peers == ()


async def test_what_a_forbidden_peer_had_sent_is_not_received() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, peers=[ann.at(a.port)], port=None) as b:
        await until(lambda: b.send(ann.key, Channel.CONSENSUS, FRAME))
        await until(lambda: a.queued()[Channel.CONSENSUS] == 1)
        a.forbid(bob.key)

        assert a.queued()[Channel.CONSENSUS] == 0


async def test_a_permitted_peer_finds_its_way_back() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, peers=[ann.at(a.port)], port=None):
        a.forbid(bob.key)
        a.permit(bob.key)

        await until(lambda: a.peers == (bob.key,))


async def test_changed_returns_when_a_peer_has_joined() -> None:
    ann, bob = people(2)
    async with transport(ann) as a, transport(bob, peers=[ann.at(a.port)], port=None):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await a.changed()

        assert a.peers == (bob.key,)


async def test_a_key_that_connects_again_and_again_pushes_nobody_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob, eve = people(3)
    monkeypatch.setattr("lc_node.adapters.zmq_listener.LINKS_MAX", 6)
    async with (
        transport(ann) as a,
        transport(bob, peers=[ann.at(a.port)], port=None) as b,
        AsyncExitStack() as stack,
    ):
        await until(lambda: all(b.send(ann.key, channel, FRAME) for channel in Channel))
        for _ in range(12):
            socket = await raw_dialer(stack, eve, ann.at(a.port))
            await socket.send(hello_of(eve, eve))
            await socket.recv_multipart()

            assert a.send(bob.key, Channel.CONSENSUS, FRAME)
            assert a.send(bob.key, Channel.BULK, FRAME)


async def test_the_newest_connection_of_a_key_is_the_one_that_is_heard() -> None:
    ann, eve = people(2)
    async with transport(ann) as a, AsyncExitStack() as stack:
        sockets = [await raw_dialer(stack, eve, ann.at(a.port)) for _ in range(2)]
        for socket in sockets:
            await socket.send(hello_of(eve, eve))
            await socket.recv_multipart()
        for number, socket in enumerate(sockets):
            await socket.send(FRAME + bytes((number,)))

        first = await a.receive(Channel.CONSENSUS)

    assert first.frame == FRAME + b"\x01"


async def test_strangers_that_only_connect_push_out_each_other_and_no_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob = people(2)
    monkeypatch.setattr("lc_node.adapters.zmq_doorkeeper.CONNECTIONS_MAX", 6)
    async with (
        transport(ann) as a,
        transport(bob, peers=[ann.at(a.port)], port=None) as b,
        asyncio.TaskGroup() as tasks,
    ):
        await until(lambda: all(b.send(ann.key, channel, FRAME) for channel in Channel))
        strangers = [await asyncio.open_connection("127.0.0.1", a.port) for _ in range(20)]
        ended = [tasks.create_task(reader.read()) for reader, _ in strangers]

        await until(lambda: sum(task.done() for task in ended) >= 16)
        assert all(a.send(bob.key, channel, FRAME) for channel in Channel)
        for _, writer in strangers:
            writer.close()


async def test_a_connection_that_never_greets_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ann, eve = people(2)
    monkeypatch.setattr("lc_node.adapters.zmq_doorkeeper.GREETING_MAX", 100)
    async with transport(ann) as a, AsyncExitStack() as stack:
        socket = await raw_dialer(stack, eve, ann.at(a.port))
        monitor = socket.get_monitor_socket(zmq.Event.DISCONNECTED)

        async with asyncio.timeout(PATIENCE_SECONDS):
            await monitor.recv_multipart()
        socket.disable_monitor()


async def test_a_connection_that_says_much_before_it_greets_is_ended_at_once() -> None:
    ann, eve = people(2)
    async with transport(ann) as a, AsyncExitStack() as stack:
        socket = await raw_dialer(stack, eve, ann.at(a.port))
        monitor = socket.get_monitor_socket(zmq.Event.DISCONNECTED)
        await socket.send_multipart([bytes(256 * 1024)] * 8)

        async with asyncio.timeout(PATIENCE_SECONDS):
            await monitor.recv_multipart()
        socket.disable_monitor()
