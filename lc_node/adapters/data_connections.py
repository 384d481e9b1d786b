"""Data connections: where a session has to carry chunks, a connection of their own beside it, cheaper to encrypt.

As FTP's (RFC 959) beside its control connection. Whoever has dialed the session asks for it there, is told a port
and a secret, and dials that; until then, and wherever it cannot be made, chunks travel over the session.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lc_node.adapters.data_connection import DataConnection
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.wire.data_frames import TOKEN_BYTES, data_keys
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import (
    DATA_CONNECTIONS_MAX,
    DATA_GREETING_MAX,
    DATA_IDLE_MAX,
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
"""Connections to our port that have not said yet whose they are; further ones are closed at once."""

Deliver = Callable[[PublicKey, Frame], None]
"""Takes a frame that came in from a peer."""
Tell = Callable[[bytes], object]
"""Sends a peer a frame in its session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What a peer was told."""

    token: bytes
    secret: bytes
    at: Millis


@dataclass(slots=True)
class _Use:
    """A connection, and when it was last seen to carry anything."""

    connection: DataConnection
    role: Role
    bytes: int
    at: Millis


class DataConnections:
    """Makes, finds and ends them; ``run`` until cancelled."""

    def __init__(self, clock: Clock, deliver: Deliver) -> None:
        """Begin without any, and without a port."""
        self._clock = clock
        self._deliver = deliver
        self._listener: socket.socket | None = None
        self._uses: dict[PublicKey, _Use] = {}
        self._offers: dict[PublicKey, _Offer] = {}
        self._asked: set[PublicKey] = set()
        """Whom we have asked for a port, in this session."""
        self._dialing: set[PublicKey] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._greeters = 0
        self._ending: set[DataConnection] = set()

    def open(self, host: str, port: int) -> None:
        """Listen; port 0 lets the system choose.

        Raises:
            OSError: the address is in use or not ours.
        """
        if host == "*":
            self._listener = (
                socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
                if socket.has_dualstack_ipv6()
                else socket.create_server(("", port))
            )
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._listener = socket.create_server((host, port), family=family)
        self._listener.settimeout(0)

    async def run(self) -> None:
        """Take connections, and end those that are idle, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                tasks.create_task(self._sweep())
                if self._listener is not None:
                    tasks.create_task(self._accept(self._listener))
        finally:
            self._tasks = None
            for peer in tuple(self._uses):
                self._drop(peer)
            for connection in tuple(self._ending):
                await connection.closed()
            self.close()

    def close(self) -> None:
        """Let go of the port, also if ``run`` never ran."""
        if self._listener is not None:
            self._listener.close()

    def __len__(self) -> int:
        return len(self._uses)

    @property
    def port(self) -> int:
        """Where we listen, 0 if we do not."""
        return 0 if self._listener is None else int(self._listener.getsockname()[1])

    def of(self, peer: PublicKey) -> DataConnection | None:
        """Return the connection to a peer, if there is one."""
        use = self._uses.get(peer)
        return use.connection if use else None

    def want(self, peer: PublicKey, tell: Tell) -> None:
        """Ask a peer whose session we have dialed for one, once a session: what failed there would fail again."""
        if peer not in self._asked and len(self._uses) < DATA_CONNECTIONS_MAX:
            self._asked.add(peer)
            tell(encode_message(GetDataPort()))

    def hear(self, peer: PublicKey, host: str, role: Role, frame: Frame, tell: Tell) -> bool:
        """Take what a peer says of data connections in a session of ours; False if it speaks of other things.

        ``host`` is where the peer is, ``role`` who has dialed the session.
        """
        if not frame or frame[0] not in {Kind.GET_DATA_PORT, Kind.DATA_PORT}:
            return False
        try:
            kind_of(frame)
            message = decode_message(frame)
        except MalformedBytes:
            return False  # counted against it above
        if isinstance(message, GetDataPort) and role is Role.LISTENER:
            self._offer(peer, tell)
        elif isinstance(message, DataPort) and role is Role.DIALER and self._tasks is not None:
            is_due = peer in self._asked and peer not in {*self._uses, *self._dialing}
            if is_due:
                self._dialing.add(peer)
                self._tasks.create_task(self._dial(peer, host, message))
        return True

    def forget(self, peer: PublicKey) -> None:
        """End what there is with a peer: its session has ended."""
        self._asked.discard(peer)
        self._offers.pop(peer, None)
        self._drop(peer)

    def _offer(self, peer: PublicKey, tell: Tell) -> None:
        older, now = self._offers.get(peer), self._clock.now()
        is_hasty = older is not None and now - older.at < _OFFERS_APART
        if self._listener is None or is_hasty or len(self._uses) >= DATA_CONNECTIONS_MAX:
            return
        secret = secrets.token_bytes(DATA_SECRET_BYTES)
        token = data_keys(secret, Role.LISTENER).token
        self._offers[peer] = _Offer(token=token, secret=secret, at=now)
        tell(encode_message(DataPort(port=self.port, secret=secret)))

    async def _dial(self, peer: PublicKey, host: str, told: DataPort) -> None:
        token = data_keys(told.secret, Role.DIALER).token
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(0)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                await loop.sock_connect(connection, (host, told.port))
                await loop.sock_sendall(connection, token)
        except (OSError, TimeoutError) as error:
            _log.debug("no data connection to %s:%d: %s", host, told.port, error)
            connection.close()
            return
        except BaseException:
            connection.close()
            raise
        finally:
            self._dialing.discard(peer)
        if peer in self._asked:
            self._use(peer, connection, told.secret, Role.DIALER)
        else:  # the session has ended meanwhile
            connection.close()

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:  # as when no file descriptor is left
                _log.debug("no data connection was taken: %s", error)
                await asyncio.sleep(1.0)
                continue
            if self._tasks is None or self._greeters >= _GREETERS_MAX:
                connection.close()
                continue
            self._greeters += 1
            self._tasks.create_task(self._greet(connection))

    async def _greet(self, connection: socket.socket) -> None:
        """Find out whose connection it is."""
        connection.settimeout(0)
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                token = await _heard(connection, TOKEN_BYTES)
        except (OSError, TimeoutError):
            token = b""
        except BaseException:
            connection.close()
            raise
        finally:
            self._greeters -= 1
        peer = next((peer for peer, one in self._offers.items() if one.token == token), None)
        if peer is None:
            connection.close()
        else:
            self._use(peer, connection, self._offers.pop(peer).secret, Role.LISTENER)

    def _use(self, peer: PublicKey, made: socket.socket, secret: bytes, role: Role) -> None:
        """Carry a peer's chunks by a connection from now on."""
        self._drop(peer)
        connection = DataConnection(
            made,
            data_keys(secret, role),
            on_frame=lambda frame: self._take(peer, frame),
            on_end=lambda ended: self._ended(peer, ended),
        )
        self._uses[peer] = _Use(connection, role, 0, self._clock.now())

    def _take(self, peer: PublicKey, frame: Frame) -> None:
        """Hand on a chunk; whoever sends anything else here is hung up on."""
        if frame[0] == Kind.CHUNK:
            self._deliver(peer, frame)
        else:
            self._drop(peer)

    def _ended(self, peer: PublicKey, ended: DataConnection) -> None:
        use = self._uses.get(peer)
        if use is not None and use.connection is ended:
            del self._uses[peer]
        self._ending.discard(ended)

    def _drop(self, peer: PublicKey) -> None:
        use = self._uses.pop(peer, None)
        if use is not None:
            self._ending.add(use.connection)
            use.connection.close()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.tidy()

    def tidy(self) -> None:
        """Forget old offers, and end what is idle: its dialer does, so that none is ended while the other end sends."""
        now = self._clock.now()
        for peer in [
            one for one, made in self._offers.items() if now - made.at > DATA_GREETING_MAX
        ]:
            del self._offers[peer]
        for peer, use in tuple(self._uses.items()):
            carried = use.connection.bytes_in + use.connection.bytes_out
            if carried != use.bytes:
                use.bytes, use.at = carried, now
            elif use.role is Role.DIALER and now - use.at > DATA_IDLE_MAX:
                self._asked.discard(peer)
                self._drop(peer)


async def _heard(connection: socket.socket, length: int) -> bytes:
    """Return the first bytes that come; fewer if there are no more."""
    said, loop = b"", asyncio.get_running_loop()
    while len(said) < length and (more := await loop.sock_recv(connection, length - len(said))):
        said += more
    return said
