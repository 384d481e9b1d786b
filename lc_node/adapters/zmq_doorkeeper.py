"""Keeps connections that nobody greets on from using up the descriptors of this process.

libzmq accepts every TCP connection, has no limit on them, and closes all of them if the socket is unbound.
So the listener's monitor is read, and of too many connections one is shut down beneath libzmq, which then
sees that it has ended.
"""

import asyncio
import os
import resource
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from lc_node.chain.types import Millis
from lc_node.ports.clock import Clock
from lc_node.wire.limits import GREETING_MAX, KIB, LINKS_MAX

CONNECTIONS_MAX: Final = 2 * LINKS_MAX
"""Accepted connections at a time, greeted or not; fewer where fewer than twice as many descriptors may be open."""

_DESCRIPTORS_WANTED: Final = 16 * CONNECTIONS_MAX
_ROUND_SECONDS: Final = 0.1
_BYTES_BEFORE_GREETING_MAX: Final = 64 * KIB
"""A handshake and a greeting take 1 KiB; libzmq keeps all parts of a message, and has no limit on their number."""

_TCP_INFO_BYTES: Final = 256
_BYTES_RECEIVED: Final = struct.Struct("=Q")
_BYTES_RECEIVED_AT: Final = 128
"""Of ``tcpi_bytes_received`` in linux/tcp.h, ``struct tcp_info``; there since Linux 4.1."""


def raise_descriptor_limit() -> None:
    """Let this process open as many files as its hard limit allows, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else hard
    wanted = min(wanted, _DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Doorkeeper:
    """Counts the connections to one listening socket, and ends the oldest idle one of too many."""

    def __init__(
        self, listener: zmq.asyncio.Socket, clock: Clock, in_use: Callable[[], frozenset[int]]
    ) -> None:
        """Watch a socket; ``in_use`` tells the descriptors of the connections that have a session."""
        self._monitor = listener.get_monitor_socket()  # as ``open_listener`` has made it
        self._port = int(listener.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._clock = clock
        self._in_use = in_use
        self._accepted: dict[int, Millis] = {}
        """When a connection was accepted, by its descriptor, oldest first."""
        soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._connections_max = (
            CONNECTIONS_MAX if soft == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, soft // 2)
        )

    async def run(self) -> None:
        """Keep the door, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._count())
            tasks.create_task(self._look_round())

    async def _count(self) -> None:
        while True:
            happened = await recv_monitor_message(self._monitor)
            descriptor = int(happened["value"])
            self._accepted.pop(descriptor, None)
            if happened["event"] == zmq.Event.ACCEPTED:
                self._accepted[descriptor] = self._clock.now()
                if len(self._accepted) > self._connections_max:
                    self._make_room()

    async def _look_round(self) -> None:
        """End the connections that have had time to greet, or have sent too much without, for ever."""
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            in_use, now = self._in_use(), self._clock.now()
            for descriptor, since in tuple(self._accepted.items()):
                # Twice: the transport's own handshake, and then the greeting.
                is_late = now - since > 2 * GREETING_MAX
                if descriptor not in in_use and (
                    is_late or self._use(descriptor, _received) > _BYTES_BEFORE_GREETING_MAX
                ):
                    self._end(descriptor)

    def _make_room(self) -> None:
        """End the oldest connection without a session, so that crowds of strangers push out each other."""
        in_use = self._in_use()
        oldest = next((one for one in self._accepted if one not in in_use), None)
        if oldest is not None:
            self._end(oldest)

    def _end(self, descriptor: int) -> None:
        """Shut a connection down; libzmq, whose descriptor it is, closes it."""
        del self._accepted[descriptor]
        self._use(descriptor, _shut_down)

    def _use(self, descriptor: int, use: Callable[[socket.socket], int]) -> int:
        """Do something with one of libzmq's connections; 0 if it has ended meanwhile."""
        try:
            copy = os.dup(descriptor)
        except OSError:
            return 0
        if not stat.S_ISSOCK(os.fstat(copy).st_mode):
            os.close(copy)
            return 0
        with suppress(OSError), socket.socket(fileno=copy) as connection:
            # The number may be another's by now: at worst that of a caller, who then dials again.
            return use(connection) if self._is_ours(connection) else 0
        return 0

    def _is_ours(self, connection: socket.socket) -> bool:
        is_internet = connection.family in {socket.AF_INET, socket.AF_INET6}
        return is_internet and connection.getsockname()[1] == self._port


def _received(connection: socket.socket) -> int:
    """Return how many bytes have come in, the transport's own included."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    received: int = _BYTES_RECEIVED.unpack_from(info, _BYTES_RECEIVED_AT)[0]
    return received


def _shut_down(connection: socket.socket) -> int:
    connection.shutdown(socket.SHUT_RDWR)
    return 0
