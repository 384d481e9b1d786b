"""Data connections: where a session has to carry chunks, a connection of their own beside it, cheaper to encrypt.

As FTP's (RFC 959) beside its control connection. Whoever has dialed the session asks for it there, is told a port
and a secret, and dials that; until then, and wherever it cannot be made, chunks travel over the session.
"""

import asyncio
import hmac
import logging
import secrets
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

from lc_node.adapters.data_connection import DataConnection
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.wire.data_frames import TOKEN_BYTES, DataKeys, data_keys
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import (
    DATA_CONNECTIONS_MAX,
    DATA_GREETING_MAX,
    DATA_IDLE_MAX,
    DATA_OFFER_MAX,
    DATA_SECRET_BYTES,
)
from lc_node.wire.messages import (
    DataPort,
    Frame,
    GetDataPort,
    decode_message,
    encode_message,
    kind_of,
)
from lc_node.wire.session import Role

_log = logging.getLogger(__name__)

_GREETING_SECONDS: Final = DATA_GREETING_MAX / 1_000
_LOOK_SECONDS: Final = 5.0
_OFFERS_APART: Final = 1_000
"""Milliseconds between two answers to one peer."""
_GREETERS_MAX: Final = 32
"""Connections to our port that have not said yet whose they are; for a further one the oldest is closed."""

Deliver = Callable[[PublicKey, Frame], None]
"""Takes a frame that came in from a peer."""
Tell = Callable[[bytes], bool]
"""Sends a peer a frame in its session; False if it was dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What a peer was told."""

    keys: DataKeys
    at: Millis


@dataclass(slots=True)
class _Question:
    """What a peer was asked in its session."""

    at: Millis
    is_open: bool = True


@dataclass(slots=True)
class _Use:
    """A connection, and when it was last seen to carry anything."""

    connection: DataConnection
    role: Role
    at: Millis
    bytes: int = 0


@dataclass(slots=True)
class _Port:
    """Where connections are taken."""

    listener: socket.socket
    greeters: dict[asyncio.Task[None], None] = field(default_factory=dict)
    """Those that have not said whose they are, the oldest first."""


class DataConnections:
    """Makes, finds and ends them; ``run`` until cancelled."""

    def __init__(
        self,
        clock: Clock,
        deliver: Deliver,
        on_lost: Callable[[PublicKey], object] = lambda _peer: None,
    ) -> None:
        """Begin without any, and without a port; ``on_lost`` hears of each that we have not ended ourselves."""
        self._clock = clock
        self._deliver = deliver
        self._on_lost = on_lost
        self._port: _Port | None = None
        self._uses: dict[PublicKey, _Use] = {}
        self._offers: dict[PublicKey, _Offer] = {}
        self._questions: dict[PublicKey, _Question] = {}
        """One at a time, and another only after an answer that led somewhere, or after none at all."""
        self._tasks: asyncio.TaskGroup | None = None
        self._all: set[DataConnection] = set()
        """Those that are not over yet, too."""

    def __len__(self) -> int:
        return len(self._uses)

    @property
    def port(self) -> int:
        """Where we listen, 0 if we do not."""
        return 0 if self._port is None else int(self._port.listener.getsockname()[1])

    def open(self, host: str, port: int) -> None:
        """Listen; port 0 lets the system choose.

        Raises:
            OSError: the address is in use or not ours.
        """
        is_dual = host == "*" and socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if is_dual or ":" in host else socket.AF_INET
        place = ("" if host == "*" else host, port)
        listener = socket.create_server(place, family=family, dualstack_ipv6=is_dual)
        listener.settimeout(0)
        self._port = _Port(listener)

    async def run(self) -> None:
        """Take connections, and end those that are idle, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._sweep())
                if self._port is not None:
                    tasks.create_task(self._accept(self._port))
        finally:
            self._tasks = None
            self.close()
            self._uses.clear()
            for connection in self._all:
                connection.close()
            for connection in tuple(self._all):
                await connection.closed()

    def close(self) -> None:
        """Let go of the port, also if ``run`` never ran."""
        if self._port is not None:
            self._port.listener.close()
            self._port = None

    def of(self, peer: PublicKey) -> DataConnection | None:
        """Return the connection to a peer, if there is one."""
        use = self._uses.get(peer)
        return use.connection if use else None

    def want(self, peer: PublicKey, tell: Tell) -> None:
        """Ask a peer whose session we have dialed for one, unless it was asked and told us a port in vain."""
        if peer in self._questions or not self._has_room(peer):
            return
        self._questions[peer] = _Question(self._clock.now())
        if not tell(encode_message(GetDataPort())):
            del self._questions[peer]

    def hear(self, peer: PublicKey, host: str, role: Role, frame: Frame, tell: Tell) -> None:
        """Take what a peer says in a session of ours, of data connections or of anything else.

        ``host`` is where the peer is, ``role`` our end of the session.
        """
        if not frame or frame[0] not in {Kind.GET_DATA_PORT, Kind.DATA_PORT}:
            return
        try:
            kind_of(frame)
            message = decode_message(frame)
        except MalformedBytes:
            return  # counted against it above
        if isinstance(message, GetDataPort) and role is Role.LISTENER:
            self._offer(peer, tell)
        elif isinstance(message, DataPort) and role is Role.DIALER:
            question = self._questions.get(peer)
            if question is not None and question.is_open:
                question.is_open = False
                self._start(self._dial(peer, host, message, question))

    def forget(self, peer: PublicKey) -> None:
        """End what there is with a peer: its session has ended."""
        self._questions.pop(peer, None)
        self._offers.pop(peer, None)
        self._drop(peer)

    def tidy(self) -> None:
        """Forget old offers, and end what is idle: its dialer first, so that none is ended while the other end sends."""
        now = self._clock.now()
        for peer in [one for one, made in self._offers.items() if now - made.at > DATA_OFFER_MAX]:
            del self._offers[peer]
        for peer, question in tuple(self._questions.items()):
            if question.is_open and now - question.at > DATA_OFFER_MAX:
                del self._questions[peer]
        for peer, use in tuple(self._uses.items()):
            carried = use.connection.carried
            patience = DATA_IDLE_MAX if use.role is Role.DIALER else 3 * DATA_IDLE_MAX
            if carried != use.bytes:
                use.bytes, use.at = carried, now
            elif now - use.at > patience:
                self._questions.pop(peer, None)
                self._drop(peer)

    def _has_room(self, peer: PublicKey) -> bool:
        return peer not in self._uses and len(self._all) < DATA_CONNECTIONS_MAX

    def _offer(self, peer: PublicKey, tell: Tell) -> None:
        older, now = self._offers.get(peer), self._clock.now()
        is_hasty = older is not None and now - older.at < _OFFERS_APART
        if self._port is None or is_hasty or not self._has_room(peer):
            return
        secret = secrets.token_bytes(DATA_SECRET_BYTES)
        self._offers[peer] = _Offer(keys=data_keys(secret, Role.LISTENER), at=now)
        tell(encode_message(DataPort(port=self.port, secret=secret)))

    async def _dial(self, peer: PublicKey, host: str, told: DataPort, question: _Question) -> None:
        keys = data_keys(told.secret, Role.DIALER)
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                connection = await _dialed(host, told.port, keys)
        except (OSError, TimeoutError) as error:
            _log.debug("no data connection to %s:%d: %s", host, told.port, error)
            return
        if self._questions.get(peer) is question:
            self._use(peer, connection, keys, Role.DIALER)
        else:  # the session has ended meanwhile
            connection.close()

    async def _accept(self, port: _Port) -> None:
        """Take connections for as long as we run; one that waits makes the listener readable."""
        loop, is_waited_for = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(port.listener, is_waited_for.set)
        try:
            while True:
                await is_waited_for.wait()
                try:
                    connection, _ = port.listener.accept()
                except BlockingIOError:
                    is_waited_for.clear()
                except OSError as error:  # as when no file descriptor is left
                    _log.debug("no data connection was taken: %s", error)
                    await asyncio.sleep(1.0)
                else:
                    self._let_in(port, connection)
                    await asyncio.sleep(0)
        finally:
            loop.remove_reader(port.listener)

    def _let_in(self, port: _Port, connection: socket.socket) -> None:
        """Find out whose a connection is, besides some others."""

        def over(task: asyncio.Task[None]) -> None:
            port.greeters.pop(task, None)
            if task.cancelled():  # perhaps before its first step
                connection.close()

        task = self._start(self._greet(connection))
        if task is None:
            connection.close()
            return
        port.greeters[task] = None
        task.add_done_callback(over)
        if len(port.greeters) > _GREETERS_MAX:
            oldest = next(iter(port.greeters))
            del port.greeters[oldest]
            oldest.cancel()

    async def _greet(self, connection: socket.socket) -> None:
        """Find out whose connection it is, and use it."""
        try:
            connection.settimeout(0)
            async with asyncio.timeout(_GREETING_SECONDS):
                peer = await self._greeted(connection)
        except (OSError, TimeoutError):
            peer = None
        except BaseException:
            connection.close()
            raise
        offer = None if peer is None else self._offers.pop(peer, None)
        if peer is None or offer is None:
            connection.close()
        else:
            self._use(peer, connection, offer.keys, Role.LISTENER)

    async def _greeted(self, connection: socket.socket) -> PublicKey | None:
        """Return who has dialed, once it has shown that it knows the secret; None if nobody who was told one."""
        token = await _heard(connection)
        peer = next((one for one, made in self._offers.items() if made.keys.token == token), None)
        if peer is None:
            return None
        keys = self._offers[peer].keys
        await asyncio.get_running_loop().sock_sendall(connection, keys.answer)
        is_it = hmac.compare_digest(await _heard(connection), keys.confirmation)
        offer = self._offers.get(peer)
        return peer if is_it and offer is not None and offer.keys is keys else None

    def _use(self, peer: PublicKey, made: socket.socket, keys: DataKeys, role: Role) -> None:
        """Carry a peer's chunks by a connection from now on."""
        if not self._has_room(peer):
            made.close()
            return
        try:
            connection = DataConnection(
                made,
                keys,
                on_frame=lambda frame: self._take(peer, frame),
                on_end=lambda ended: self._ended(peer, ended),
            )
        except (OSError, RuntimeError) as error:
            _log.debug("a data connection cannot be used: %s", error)
            return
        self._all.add(connection)
        self._uses[peer] = _Use(connection, role, self._clock.now())

    def _take(self, peer: PublicKey, frame: Frame) -> None:
        """Hand on a chunk; whoever sends anything else here is hung up on."""
        if frame[0] == Kind.CHUNK:
            self._deliver(peer, frame)
        else:
            self._drop(peer)

    def _ended(self, peer: PublicKey, ended: DataConnection) -> None:
        if ended.is_over:
            self._all.discard(ended)
        use = self._uses.get(peer)
        if use is not None and use.connection is ended:
            del self._uses[peer]
            if ended.carried:  # it has worked, and may again
                self._questions.pop(peer, None)
            self._on_lost(peer)

    def _drop(self, peer: PublicKey) -> None:
        use = self._uses.pop(peer, None)
        if use is not None:
            use.connection.close()

    def _start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None] | None:
        """Begin some work, unless everything is about to end."""
        try:
            if self._tasks is not None:
                return self._tasks.create_task(work)
        except RuntimeError:  # the group is shutting down
            pass
        work.close()
        return None

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.tidy()


async def _dialed(host: str, port: int, keys: DataKeys) -> socket.socket:
    """Return a connection to who knows the same keys.

    Raises:
        OSError: nobody is there, or somebody else.
    """
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        await loop.sock_connect(connection, (host, port))
        await loop.sock_sendall(connection, keys.token)
        if not hmac.compare_digest(await _heard(connection), keys.answer):
            raise ConnectionError("another answer than the peer's")  # noqa: TRY301  # one way out
        await loop.sock_sendall(connection, keys.confirmation)
    except BaseException:
        connection.close()
        raise
    return connection


async def _heard(connection: socket.socket) -> bytes:
    """Return the next word that comes; less if there is no more."""
    said, loop = b"", asyncio.get_running_loop()
    while len(said) < TOKEN_BYTES:
        more = await loop.sock_recv(connection, TOKEN_BYTES - len(said))
        if not more:
            break
        said += more
    return said
