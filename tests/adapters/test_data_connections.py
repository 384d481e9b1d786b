"""Data connections over real sockets: made by a word in a session, ended with it, and never trusted alone."""

import select
import socket

import pytest

from lc_node.adapters import data_connections
from lc_node.adapters.data_connections import DataConnections
from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.zmq_transport import CannotListen, TransportSettings, ZmqTransport
from lc_node.ports.transport import Channel
from lc_node.wire.data_frames import HEAD_BYTES, TOKEN_BYTES, Sealer
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import DATA_IDLE_MAX, DATA_OFFER_MAX, MIB, SENDING_BYTES
from lc_node.wire.messages import DataPort, GetDataPort, Keepalive, encode_message
from lc_node.wire.session import Role
from tests.adapters.data_ends import (
    ANNA,
    BERT,
    CHUNK,
    HOST,
    Hands,
    ask,
    await_dials,
    both,
    chunk,
    dialed,
    end,
    hello,
    keys_of,
    told,
)
from tests.peer_nodes import CHAIN, people, transport, until


@pytest.fixture(autouse=True)
def _patient_greetings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time: a session tries one greeting only."""
    monkeypatch.setattr(data_connections, "_GREETING_SECONDS", 60.0)


async def test_chunks_go_both_ways() -> None:
    async with both() as (anna, bert):
        to_bert, to_anna = anna.data.of(BERT), bert.data.of(ANNA)
        assert to_bert is not None
        assert to_anna is not None
        many = [chunk(index, MIB) for index in range(20)]
        assert all(to_bert.send(frame) for frame in many)
        assert to_anna.send(CHUNK)
        await until(lambda: len(bert.heard) == len(many) and len(anna.heard) == 1)

    assert bert.heard == [(ANNA, frame) for frame in many]
    assert anna.heard == [(BERT, CHUNK)]
    assert to_bert.bytes_out == to_anna.bytes_in == sum(map(len, many))


async def test_a_queue_that_is_full_takes_no_more() -> None:
    async with both() as (anna, _bert):
        to_bert = anna.data.of(BERT)
        assert to_bert is not None
        # Nothing is sent in between: the event loop, which takes what comes, does not get its turn.
        taken = [to_bert.send(chunk(index, MIB)) for index in range(4 * SENDING_BYTES // MIB)]

    assert False in taken


async def test_what_is_said_of_other_things_is_not_looked_at() -> None:
    async with end(0) as bert:
        for frame in (encode_message(Keepalive()), b"", encode_message(GetDataPort()) + b"x"):
            bert.data.hear(ANNA, HOST, Role.LISTENER, frame, bert.says)

    assert bert.asked == []


async def test_a_peer_is_asked_once_a_session() -> None:
    async with end() as anna:
        anna.data.want(BERT, anna.says)
        anna.data.want(BERT, anna.says)
        assert len(anna.asked) == 1
        anna.data.forget(BERT)
        anna.data.want(BERT, anna.says)

    assert len(anna.asked) == 2


async def test_a_question_that_was_dropped_is_asked_again() -> None:
    async with end() as anna:
        anna.data.want(BERT, lambda _frame: False)
        anna.data.want(BERT, anna.says)

    assert len(anna.asked) == 1


async def test_who_does_not_listen_offers_nothing() -> None:
    async with end() as anna, end() as bert:
        ask(anna, bert)

    assert len(anna.data) == len(bert.data) == 0


async def test_a_port_that_was_not_asked_for_is_not_dialed() -> None:
    async with end() as anna, await_dials() as dials:
        word = DataPort(port=dials.port, secret=bytes(32))
        anna.data.hear(BERT, HOST, Role.DIALER, encode_message(word), anna.says)
        anna.data.want(BERT, anna.says)
        anna.data.hear(BERT, HOST, Role.DIALER, encode_message(word), anna.says)
        await until(lambda: len(dials.tokens) > 0)

    assert dials.tokens == [keys_of(word).token]


async def test_a_port_is_dialed_once_however_often_it_is_told() -> None:
    async with end() as anna, await_dials() as dials:
        anna.data.want(BERT, anna.says)
        for secret in (bytes(32), b"x" * 32):
            word = encode_message(DataPort(port=dials.port, secret=secret))
            anna.data.hear(BERT, HOST, Role.DIALER, word, anna.says)
        await until(lambda: len(dials.tokens) > 0)
        await until(lambda: dials.over == 1)

    assert len(dials.tokens) == 1


async def test_who_does_not_know_the_secret_is_not_taken_for_the_peer() -> None:
    async with end() as anna, await_dials() as dials:
        anna.data.want(BERT, anna.says)
        word = encode_message(DataPort(port=dials.port, secret=bytes(32)))
        anna.data.hear(BERT, HOST, Role.DIALER, word, anna.says)
        await until(lambda: dials.over == 1)

        assert len(anna.data) == 0


async def test_a_port_where_nobody_is_costs_nothing() -> None:
    async with end() as anna:
        with socket.create_server((HOST, 0)) as closed:
            port = closed.getsockname()[1]
        anna.data.want(BERT, anna.says)
        word = encode_message(DataPort(port=port, secret=bytes(32)))
        anna.data.hear(BERT, HOST, Role.DIALER, word, anna.says)
        async with end(0) as bert:
            ask(anna, bert)  # in the same session there is no other attempt

    assert len(anna.data) == len(bert.data) == 0


async def test_who_asks_too_often_is_not_answered() -> None:
    async with end(0) as bert:
        told(bert)
        bert.data.hear(ANNA, HOST, Role.LISTENER, encode_message(GetDataPort()), bert.says)

    assert len(bert.asked) == 1


@pytest.mark.parametrize("said", [b"x" * TOKEN_BYTES, b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_stranger_is_hung_up_on(said: bytes) -> None:
    async with end(0) as bert:
        async with dialed(told(bert), said) as hung_up:
            assert await hung_up() == b""

        assert len(bert.data) == 0


async def test_who_does_not_say_whole_who_it_is_is_hung_up_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(data_connections, "_GREETING_SECONDS", 0.1)
    async with end(0) as bert:
        async with dialed(told(bert), b"short") as hung_up:
            assert await hung_up() == b""

        assert len(bert.data) == 0


async def test_who_has_overheard_the_token_gets_no_further_and_the_peer_does() -> None:
    async with end(0) as bert:
        word = told(bert)
        keys = keys_of(word)
        async with dialed(word, keys.token + b"x" * TOKEN_BYTES) as hung_up:
            assert await hung_up() == keys.answer
        assert len(bert.data) == 0
        async with dialed(word, hello(word)):
            await until(lambda: len(bert.data) == 1)


async def test_a_secret_serves_one_connection() -> None:
    async with end(0) as bert:
        word = told(bert)
        async with dialed(word, hello(word)):
            await until(lambda: len(bert.data) == 1)
            async with dialed(word, hello(word)) as hung_up:
                assert await hung_up() == b""


async def test_an_old_offer_is_forgotten() -> None:
    async with end(0) as bert:
        word = told(bert)
        bert.clock.at += DATA_OFFER_MAX + 1
        bert.data.tidy()
        async with dialed(word, hello(word)) as hung_up:
            assert await hung_up() == b""


async def test_a_crowd_that_says_nothing_does_not_keep_the_peer_out() -> None:
    async with end(0) as bert:
        word = told(bert)
        async with dialed(word, b"") as oldest_hung_up:
            silent = [socket.create_connection((HOST, word.port)) for _ in range(99)]
            assert await oldest_hung_up() == b""
            await until(lambda: hung_up(silent) == 99 - 32)
            async with dialed(word, hello(word)):
                await until(lambda: len(bert.data) == 1)
            for one in silent:
                one.close()


async def test_there_are_no_more_than_there_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_connections, "DATA_CONNECTIONS_MAX", 1)
    async with both() as (_anna, bert):
        bert.data.hear(BERT, HOST, Role.LISTENER, encode_message(GetDataPort()), bert.says)

    assert bert.asked == []


@pytest.mark.parametrize("what", ["another kind", "damaged"])
async def test_who_sends_what_is_no_chunk_is_hung_up_on(what: str) -> None:
    async with end(0) as bert:
        word = told(bert)
        frame = encode_message(Keepalive()) if what == "another kind" else CHUNK
        sent = bytearray(Sealer(keys_of(word).sending).seal(frame))
        sent[HEAD_BYTES] ^= what == "damaged"
        async with dialed(word, hello(word) + bytes(sent)) as hung_up:
            assert await hung_up() == keys_of(word).answer
        await until(lambda: len(bert.data) == 0)

    assert bert.heard == []


async def test_when_one_end_closes_the_other_does() -> None:
    async with both() as (anna, bert):
        anna.data.forget(BERT)

        await until(lambda: len(bert.data) == 0)
        assert (anna.lost, bert.lost) == ([], [ANNA])


async def test_its_dialer_ends_what_is_idle() -> None:
    async with both() as (anna, bert):
        for one in (anna, bert):
            one.clock.at += DATA_IDLE_MAX + 1
        bert.data.tidy()
        assert len(bert.data) == 1
        anna.data.tidy()

        await until(lambda: len(bert.data) == 0)
        assert len(anna.data) == 0


async def test_the_other_end_ends_it_when_it_is_idle_for_longer() -> None:
    async with both() as (_anna, bert):
        bert.clock.at += 3 * DATA_IDLE_MAX + 1
        bert.data.tidy()

        assert len(bert.data) == 0


async def test_after_it_was_idle_there_is_another_one() -> None:
    async with both() as (anna, bert):
        anna.clock.at += DATA_IDLE_MAX + 1
        anna.data.tidy()
        await until(lambda: len(bert.data) == 0)
        bert.clock.at += 2_000
        ask(anna, bert)

        await until(lambda: len(anna.data) == len(bert.data) == 1)


async def test_what_carries_chunks_is_not_idle() -> None:
    async with both() as (anna, _bert):
        to_bert = anna.data.of(BERT)
        assert to_bert is not None
        to_bert.send(CHUNK)
        await until(lambda: to_bert.carried > 0)
        anna.clock.at += DATA_IDLE_MAX + 1
        anna.data.tidy()

        assert len(anna.data) == 1


async def test_a_port_in_use_is_an_error() -> None:
    async with end(0) as bert:
        with pytest.raises(OSError, match="in use"):
            DataConnections(Hands(), lambda _peer, _frame: None).open(HOST, bert.data.port)


async def test_after_a_chunk_in_a_session_the_next_travel_beside_it() -> None:
    first, second = people(2)
    async with transport(first) as one, transport(second, peers=[first.at(one.port)]) as two:
        await until(lambda: one.peers == (second.key,) and two.peers == (first.key,))
        await until(lambda: one.send(second.key, Channel.BULK, CHUNK))
        await until(lambda: one.data_connections == two.data_connections == 1)
        assert one.send(second.key, Channel.BULK, chunk(8))
        assert two.send(first.key, Channel.BULK, chunk(9))

        assert [await chunk_at(two), await chunk_at(two)] == [CHUNK, chunk(8)]
        assert await chunk_at(one) == chunk(9)


async def chunk_at(one: ZmqTransport) -> bytes:
    """Return the next chunk that a peer has sent."""
    while True:
        frame = (await one.receive(Channel.BULK)).frame
        if frame[0] == Kind.CHUNK:
            return bytes(frame)


async def test_who_is_banned_loses_its_data_connection() -> None:
    first, second = people(2)
    async with transport(first) as one, transport(second, peers=[first.at(one.port)]) as two:
        await until(lambda: one.peers == (second.key,) and two.peers == (first.key,))
        await until(lambda: two.send(first.key, Channel.BULK, CHUNK))
        await until(lambda: one.data_connections == two.data_connections == 1)
        one.forbid(second.key)

        await until(lambda: one.data_connections == two.data_connections == 0)


async def test_who_dials_anew_gets_a_new_data_connection() -> None:
    first, second = people(2)
    async with transport(first) as one:
        for _ in range(2):
            async with transport(second, peers=[first.at(one.port)]) as two:
                await until(lambda: two.peers == (first.key,))  # called in this turn
                await until(lambda: two.send(first.key, Channel.BULK, CHUNK))
                await until(lambda: two.data_connections == 1)
                await until(lambda: one.data_connections == 1)


def hung_up(silent: list[socket.socket]) -> int:
    """Return how many have been hung up on."""
    return len(select.select(silent, [], [], 0)[0])


async def test_a_question_without_an_answer_is_asked_again_later() -> None:
    async with end() as anna:
        anna.data.want(BERT, anna.says)
        anna.clock.at += DATA_OFFER_MAX + 1
        anna.data.tidy()
        anna.data.want(BERT, anna.says)

    assert len(anna.asked) == 2


async def test_after_one_that_has_carried_something_has_broken_there_is_another() -> None:
    async with both() as (anna, bert):
        to_bert = anna.data.of(BERT)
        assert to_bert is not None
        to_bert.send(CHUNK)
        await until(lambda: len(bert.heard) == 1)
        bert.data.forget(ANNA)
        await until(lambda: len(anna.data) == 0)
        ask(anna, bert)

        await until(lambda: len(anna.data) == len(bert.data) == 1)


@pytest.mark.parametrize("host", ["*", HOST, "::1", "[::1]", "lo"])
async def test_wherever_a_node_listens_it_takes_data_connections(host: str) -> None:
    (who,) = people(1)
    settings = TransportSettings(
        chain_id=CHAIN, signer=who.signer, keys=who.keys, peers=(), host=host, port=0
    )
    made = ZmqTransport(settings, SystemClock())
    made.open()
    port = made.data_port
    made.close()

    assert port > 0


async def test_a_data_port_in_use_is_named_with_its_setting() -> None:
    (who,) = people(1)
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        settings = TransportSettings(
            chain_id=CHAIN,
            signer=who.signer,
            keys=who.keys,
            peers=(),
            host=HOST,
            port=0,
            data_port=port,
        )
        with pytest.raises(CannotListen, match=rf"{port}.*`data_port`"):
            ZmqTransport(settings, SystemClock()).open()
