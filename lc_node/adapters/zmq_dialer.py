"""The dialing end: keeps one connection to a peer, unless the peer keeps one to us."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from lc_node.adapters.names import Names
from lc_node.adapters.zmq_link import Link
from lc_node.adapters.zmq_sockets import TransportKeys, content_of, host_of, open_dialer
from lc_node.adapters.zmq_switchboard import Switchboard
from lc_node.ports.transport import Channel, PeerAddress, Refusal
from lc_node.wire.limits import GREETING_MAX
from lc_node.wire.session import Role, Session

_BACKOFF_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
"""After whom nobody reached. It stays short: when a network heals, the graph waits for this."""
_REFUSED_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""After who answered and did not want us."""
_STANDBY_SECONDS: Final = 1.0
_GREETING_SECONDS: Final = GREETING_MAX / 1_000
_OVER: Final = frozenset(
    {
        zmq.Event.CLOSED,
        zmq.Event.DISCONNECTED,
        zmq.Event.HANDSHAKE_FAILED_AUTH,
        zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
        zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    }
)
"""A connection that sees one of these will carry nothing more."""


def pause_seconds(failures: int, refusal: Refusal | None) -> float:
    """Return how long to wait after so many failures in a row, the last of them for this reason."""
    is_refused = refusal not in {None, Refusal.NO_ANSWER}
    pauses = _REFUSED_SECONDS if is_refused else _BACKOFF_SECONDS
    return pauses[min(failures, len(pauses) - 1)]


class Dialer:
    """Dials one peer for one channel, again and again."""

    def __init__(  # noqa: PLR0913  # one argument a collaborator
        self,
        switchboard: Switchboard,
        context: zmq.asyncio.Context,
        keys: TransportKeys,
        names: Names,
        address: PeerAddress,
        channel: Channel,
        *,
        is_kept: Callable[[], bool],
    ) -> None:
        """Prepare to dial; ``is_kept`` tells whether to go on once the peer is not up (any more)."""
        self._switchboard = switchboard
        self._context = context
        self._keys = keys
        self._names = names
        self._address = address
        self._channel = channel
        self._is_kept = is_kept

    async def run(self) -> None:
        """Keep the connection up as long as that is wanted, waiting longer after each failure."""
        failures = 0
        while True:
            if self._is_wanted():
                refusal = await self._dial(failures)
                failures = 0 if refusal is None else failures + 1
                pause = pause_seconds(failures, refusal)
            else:
                failures, pause = 0, _STANDBY_SECONDS
            if not (self._is_kept() or self._switchboard.links.is_up(self._address.public_key)):
                return
            await asyncio.sleep(pause)

    def _is_wanted(self) -> bool:
        """Return whether to dial: not whom we banned, nor who has dialed us already."""
        peer = self._address.public_key
        is_heard = self._switchboard.links.heard(peer, self._channel) is not None
        return not (is_heard or self._switchboard.is_forbidden(peer))

    async def _dial(self, turn: int) -> Refusal | None:
        """Make one connection and stay until it ends; return why it had not become a session."""
        host = await self._names.address(self._address.host, turn)
        if host is None:
            self._switchboard.fail(self._address.public_key, Refusal.NO_ANSWER)
            return Refusal.NO_ANSWER
        with self._opened() as (socket, monitor, link):
            socket.connect(f"tcp://{_bracketed(host)}:{self._address.port}")
            self._switchboard.perform(link, link.session.open())
            async with asyncio.TaskGroup() as tasks:
                reading = tasks.create_task(self._read(socket, link))
                watching = tasks.create_task(_watch(monitor, link))
                refusal = await self._last(link)
                reading.cancel()
                watching.cancel()
            return refusal

    @contextmanager
    def _opened(self) -> Iterator[tuple[zmq.asyncio.Socket, zmq.asyncio.Socket, Link]]:
        socket = open_dialer(self._context, self._keys, self._address)
        monitor = socket.get_monitor_socket()
        session = Session(
            self._switchboard.policy,
            Role.DIALER,
            self._address.transport_key,
            channel=self._channel,
            expected=self._address.public_key,
        )
        link = Link(
            session,
            Role.DIALER,
            socket,
            route=(),
            host=self._address.host,
            since=self._switchboard.clock.now(),
        )
        try:
            yield socket, monitor, link
        finally:
            self._switchboard.drop(link)
            socket.disable_monitor()
            monitor.close(linger=0)
            socket.close(linger=0)

    async def _last(self, link: Link) -> Refusal | None:
        """Wait for a connection's end; return why it was none."""
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                await link.greeted.wait()
        except TimeoutError:
            link.end()
        was_up = link.is_up
        await link.ended.wait()
        refusal = link.session.refusal or (None if was_up else Refusal.NO_ANSWER)
        if refusal is not None:
            self._switchboard.fail(self._address.public_key, refusal)
        return None if was_up else refusal

    async def _read(self, socket: zmq.asyncio.Socket, link: Link) -> None:
        while True:
            frames = await socket.recv_multipart(copy=False)
            link.host = host_of(frames[0])
            self._switchboard.receive(link, content_of(frames[0]) if len(frames) == 1 else b"")


async def _watch(monitor: zmq.asyncio.Socket, link: Link) -> None:
    """Return once the connection is over, having ended its link."""
    while not link.ended.is_set():
        happened = await recv_monitor_message(monitor)
        if happened["event"] in _OVER:
            link.end()


def _bracketed(host: str) -> str:
    """Return a host as ZeroMQ wants it in an endpoint: IPv6 addresses in brackets."""
    return f"[{host}]" if ":" in host else host
