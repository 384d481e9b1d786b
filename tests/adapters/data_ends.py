"""Two ends of data connections over real sockets, whose session is a function call."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from lc_node.adapters.data_connections import DataConnections
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.wire.data_frames import TOKEN_BYTES, DataKeys, data_keys
from lc_node.wire.messages import (
    Chunk,
    DataPort,
    GetDataPort,
    decode_message,
    encode_message,
)
from lc_node.wire.session import Role
from tests.peer_nodes import PATIENCE_SECONDS, people, until

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
    heard: list[tuple[PublicKey, bytes]]
    lost: list[PublicKey]
    """With whom a data connection has ended unasked."""
    asked: list[bytes] = field(default_factory=list)
    """What it has said in the session."""

    def says(self, frame: bytes) -> bool:
        """Say something in the session, to nobody."""
        self.asked.append(frame)
        return True


@asynccontextmanager
async def end(port: int | None = None) -> AsyncIterator[End]:
    """Run one end, which listens if a port is given."""
    clock = Hands()
    heard: list[tuple[PublicKey, bytes]] = []
    lost: list[PublicKey] = []
    data = DataConnections(
        clock, lambda peer, frame: heard.append((peer, bytes(frame))), on_lost=lost.append
    )
    if port is not None:
        data.open(HOST, port)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(data.run())
        await asyncio.sleep(0)
        try:
            yield End(data, clock, heard, lost)
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

    def to_bert(frame: bytes) -> bool:
        bert.data.hear(ANNA, HOST, Role.LISTENER, frame, to_anna)
        return True

    def to_anna(frame: bytes) -> bool:
        # Twice, as nobody honest says it.
        for _ in range(2):
            anna.data.hear(BERT, HOST, Role.DIALER, frame, bert.says)
        return True

    anna.data.want(BERT, to_bert)


def told(bert: End) -> DataPort:
    """Return what Bert tells whoever asks him, a little later than before."""
    bert.clock.at += 2_000
    bert.asked.clear()
    bert.data.hear(ANNA, HOST, Role.LISTENER, encode_message(GetDataPort()), bert.says)
    (word,) = (decode_message(frame) for frame in bert.asked)
    assert isinstance(word, DataPort)
    return word


def keys_of(word: DataPort) -> DataKeys:
    """Return what the dialer makes of the secret."""
    return data_keys(word.secret, Role.DIALER)


def hello(word: DataPort) -> bytes:
    """Return what a dialer says that does not wait for the answer."""
    return keys_of(word).token + keys_of(word).confirmation


@dataclass
class Dials:
    """Who is dialed, and does not know any secret."""

    port: int
    tokens: list[bytes] = field(default_factory=list)
    over: int = 0
    """How many have hung up."""


@asynccontextmanager
async def await_dials() -> AsyncIterator[Dials]:
    """Listen, and give everyone a wrong answer."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dials.tokens.append(await reader.readexactly(TOKEN_BYTES))
        writer.write(b"x" * TOKEN_BYTES)
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        dials.over += 1
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    dials = Dials(server.sockets[0].getsockname()[1])
    async with server:
        yield dials


@asynccontextmanager
async def dialed(word: DataPort, said: bytes) -> AsyncIterator[Callable[[], Awaitable[bytes]]]:
    """Connect to a data port and say something; what is given waits until the other end hangs up."""
    reader, writer = await asyncio.open_connection(HOST, word.port)

    async def last_words() -> bytes:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await reader.read()
        except ConnectionResetError:  # hung up with something unread
            return b""

    writer.write(said)
    await writer.drain()
    try:
        yield last_words
    finally:
        writer.close()
