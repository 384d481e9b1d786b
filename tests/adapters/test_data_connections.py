"""Data connections over real sockets: made by a word in a session, ended with it, and never trusted alone."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from lc_node.adapters.data_connections import DataConnections
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.ports.transport import Channel
from lc_node.wire.data_frames import HEAD_BYTES, TOKEN_BYTES, Sealer, data_keys
from lc_node.wire.limits import DATA_IDLE_MAX, MIB, SENDING_BYTES
from lc_node.wire.messages import (
    Chunk,
    DataPort,
    GetDataPort,
    Keepalive,
    decode_message,
    encode_message,
)
from lc_node.wire.session import Role
from tests.peer_nodes import people, transport, until

HOST = "127.0.0.1"
ANNA, BERT = (who.key for who in people(2))


def chunk(index: int, length: int = 1000) -> bytes:
    data = memoryview(bytes([index % 256]) * length)
    return encode_message(Chunk(digest=Digest(bytes(32)), index=index, data=data))


CHUNK = chunk(7)


class Hands(SystemClock):
    """A clock that is set by hand."""

    at = 0

    def now(self) -> Millis:
        return Millis(self.at)


@dataclass
class End:
    """One end: its data connections, and what it has heard."""

    data: DataConnections
    clock: Hands
    heard: list[tuple[PublicKey, bytes]] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)
    """In the session."""


@asynccontextmanager
async def end(port: int | None = None) -> AsyncIterator[End]:
    """Run one end, which listens if a port is given."""
    clock = Hands()
    heard: list[tuple[PublicKey, bytes]] = []
    data = DataConnections(clock, lambda peer, frame: heard.append((peer, bytes(frame))))
    if port is not None:
        data.open(HOST, port)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(data.run())
        await asyncio.sleep(0)
        try:
            yield End(data, clock, heard)
        finally:
            running.cancel()


@asynccontextmanager
async def both() -> AsyncIterator[tuple[End, End]]:
    """Run Anna, who has dialed Bert's session, and Bert; there is a data connection."""
    async with end() as anna, end(0) as bert:
        ask(anna, bert)
        await until(lambda: len(anna.data) == len(bert.data) == 1)
        yield anna, bert


def ask(anna: End, bert: End) -> None:
    """Let Anna ask Bert for a data connection, and hear his answer."""

    def to_bert(frame: bytes) -> None:
        assert bert.data.hear(ANNA, HOST, Role.LISTENER, frame, to_anna)

    def to_anna(frame: bytes) -> None:
        assert anna.data.hear(BERT, HOST, Role.DIALER, frame, bert.said.append)

    anna.data.want(BERT, to_bert)


def told(bert: End) -> DataPort:
    """Return what Bert tells whoever asks him."""
    said: list[bytes] = []
    bert.data.hear(ANNA, HOST, Role.LISTENER, encode_message(GetDataPort()), said.append)
    (word,) = (decode_message(frame) for frame in said)
    assert isinstance(word, DataPort)
    return word


@asynccontextmanager
async def dialed(word: DataPort, said: bytes) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Connect to a data port and say something; what is given waits until the other end hangs up."""
    reader, writer = await asyncio.open_connection(HOST, word.port)

    async def last_words() -> bytes:
        try:
            return await reader.read()
        except ConnectionResetError:  # hung up with something unread
            return b""

    writer.write(said)
    await writer.drain()
    try:
        yield last_words
    finally:
        writer.close()


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


async def test_what_is_said_of_other_things_is_left_to_others() -> None:
    async with end() as anna:
        for frame in (
            encode_message(Keepalive()),
            b"",
            encode_message(DataPort(port=1, secret=bytes(32)))[:-1],
        ):
            assert not anna.data.hear(BERT, HOST, Role.DIALER, frame, anna.said.append)


async def test_a_peer_is_asked_once_a_session() -> None:
    async with end() as anna:
        asked: list[bytes] = []
        anna.data.want(BERT, asked.append)
        anna.data.want(BERT, asked.append)
        assert len(asked) == 1
        anna.data.forget(BERT)
        anna.data.want(BERT, asked.append)

    assert len(asked) == 2


async def test_who_does_not_listen_offers_nothing() -> None:
    async with end() as anna, end() as bert:
        ask(anna, bert)

    assert len(anna.data) == len(bert.data) == 0


async def test_a_port_that_was_not_asked_for_is_not_dialed() -> None:
    async with end() as anna, end(0) as bert:
        frame = encode_message(told(bert))
        assert anna.data.hear(BERT, HOST, Role.DIALER, frame, anna.said.append)
        async with dialed(told_later(bert), b"x" * TOKEN_BYTES) as hung_up:
            assert await hung_up() == b""  # and by then Anna would have been there

    assert len(anna.data) == len(bert.data) == 0


def told_later(bert: End) -> DataPort:
    """Return what Bert tells, a little later."""
    bert.clock.at += 2_000
    return told(bert)


async def test_who_asks_too_often_is_not_answered() -> None:
    async with end(0) as bert:
        told(bert)
        said: list[bytes] = []
        bert.data.hear(ANNA, HOST, Role.LISTENER, encode_message(GetDataPort()), said.append)

    assert said == []


@pytest.mark.parametrize("said", [b"x" * TOKEN_BYTES, b"GET / HTTP/1.1\r\n\r\n"])
async def test_a_stranger_is_hung_up_on(said: bytes) -> None:
    async with end(0) as bert:
        async with dialed(told(bert), said) as hung_up:
            assert await hung_up() == b""

        assert len(bert.data) == 0


async def test_a_secret_serves_one_connection() -> None:
    async with both() as (_anna, bert):
        word = told_later(bert)
        keys = data_keys(word.secret, Role.DIALER)
        async with dialed(word, keys.token):
            first = bert.data.of(ANNA)
            await until(lambda: bert.data.of(ANNA) is not first)
            async with dialed(word, keys.token) as hung_up:
                assert await hung_up() == b""


async def test_an_old_offer_is_forgotten() -> None:
    async with end(0) as bert:
        word = told(bert)
        bert.clock.at += 60_000
        bert.data.tidy()
        async with dialed(word, data_keys(word.secret, Role.DIALER).token) as hung_up:
            assert await hung_up() == b""


async def test_a_crowd_that_says_nothing_is_not_let_in() -> None:
    async with end(0) as bert:
        word = told(bert)
        silent = [socket.create_connection((HOST, word.port)) for _ in range(32)]
        async with dialed(word, data_keys(word.secret, Role.DIALER).token) as hung_up:
            assert await hung_up() == b""
        for one in silent:
            one.close()

        assert len(bert.data) == 0


@pytest.mark.parametrize("what", ["another kind", "damaged"])
async def test_who_sends_what_is_no_chunk_is_hung_up_on(what: str) -> None:
    async with end(0) as bert:
        word = told(bert)
        keys = data_keys(word.secret, Role.DIALER)
        sent = bytearray(
            Sealer(keys.sending).seal(
                encode_message(Keepalive()) if what == "another kind" else CHUNK
            )
        )
        sent[HEAD_BYTES] ^= what == "damaged"
        async with dialed(word, keys.token + bytes(sent)) as hung_up:
            assert await hung_up() == b""
        await until(lambda: len(bert.data) == 0)

    assert bert.heard == []


async def test_when_one_end_closes_the_other_does() -> None:
    async with both() as (anna, bert):
        anna.data.forget(BERT)

        await until(lambda: len(bert.data) == 0)


async def test_its_dialer_ends_what_is_idle() -> None:
    async with both() as (anna, bert):
        for one in (anna, bert):
            one.clock.at += DATA_IDLE_MAX + 1
        bert.data.tidy()
        assert len(bert.data) == 1
        anna.data.tidy()

        await until(lambda: len(bert.data) == 0)
        assert len(anna.data) == 0


async def test_what_carries_chunks_is_not_idle() -> None:
    async with both() as (anna, _bert):
        to_bert = anna.data.of(BERT)
        assert to_bert is not None
        to_bert.send(CHUNK)
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
        assert one.send(second.key, Channel.BULK, CHUNK)
        await until(lambda: one.data_connections == two.data_connections == 1)
        assert one.send(second.key, Channel.BULK, chunk(8))
        assert two.send(first.key, Channel.BULK, chunk(9))

        came = [bytes((await two.receive(Channel.BULK)).frame) for _ in range(2)]
        assert came == [CHUNK, chunk(8)]
        inbound = await one.receive(Channel.BULK)
        assert (inbound.peer, bytes(inbound.frame)) == (second.key, chunk(9))


async def test_who_is_banned_loses_its_data_connection() -> None:
    first, second = people(2)
    async with transport(first) as one, transport(second, peers=[first.at(one.port)]) as two:
        await until(lambda: one.peers == (second.key,) and two.peers == (first.key,))
        two.send(first.key, Channel.BULK, CHUNK)
        await until(lambda: one.data_connections == two.data_connections == 1)
        one.forbid(second.key)

        await until(lambda: one.data_connections == two.data_connections == 0)
