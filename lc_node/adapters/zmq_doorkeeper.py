"""Keeps connections that nobody greets on from using up the descriptors of this process.

libzmq accepts every TCP connection, has no limit on them, and closes all of them if the socket is unbound.
So the listener's monitor is read, and of too many connections one is shut down beneath libzmq, which then
sees that it has ended.
"""

import os
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import zmq
import zmq.asyncio
from zmq.utils.monitor import recv_monitor_message

from lc_node.chain.types import Millis
from lc_node.ports.clock import Clock
from lc_node.wire.limits import GREETING_MAX, LINKS_MAX

CONNECTIONS_MAX: Final = 4 * LINKS_MAX
"""Accepted connections at a time, greeted or not; fewer where fewer than twice as many descriptors may be open."""

_DESCRIPTORS_WANTED: Final = 16 * CONNECTIONS_MAX


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
        self._monitor = listener.get_monitor_socket(zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED)
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
        while True:
            happened = await recv_monitor_message(self._monitor)
            descriptor = int(happened["value"])
            self._accepted.pop(descriptor, None)
            if happened["event"] == zmq.Event.ACCEPTED:
                self._accepted[descriptor] = self._clock.now()
                if len(self._accepted) > self._connections_max:
                    self._make_room()

    def sweep(self) -> None:
        """End the connections that have had time to greet and have no session."""
        in_use, now = self._in_use(), self._clock.now()
        for descriptor, since in tuple(self._accepted.items()):
            # Twice: the transport's own handshake, and then the greeting.
            if descriptor not in in_use and now - since > 2 * GREETING_MAX:
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
        with suppress(OSError):  # it has ended meanwhile, and may be a file by now
            connection = socket.socket(fileno=os.dup(descriptor))
            with connection:
                # Of another connection's descriptor the worst to happen is that a caller dials again.
                if connection.getsockname()[1] == self._port:
                    connection.shutdown(socket.SHUT_RDWR)
