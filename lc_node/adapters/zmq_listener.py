"""The listening end: one ROUTER, a link for each connection that was made to it."""

import asyncio
from typing import Final, cast

import zmq
import zmq.asyncio

from lc_node.adapters.zmq_doorkeeper import Doorkeeper
from lc_node.adapters.zmq_link import Link
from lc_node.adapters.zmq_sockets import content_of, host_of, transport_key_of
from lc_node.adapters.zmq_switchboard import Switchboard
from lc_node.chain.types import Millis
from lc_node.wire.limits import GREETING_MAX, LINKS_MAX
from lc_node.wire.messages import Keepalive, encode_message
from lc_node.wire.session import Role, Session

_SWEEP_SECONDS: Final = 1.0
_AT_ONCE_MAX: Final = 32  # frames taken before others in the event loop have their turn
_KEEPALIVE: Final = encode_message(Keepalive())


class Listener:
    """Reads a ROUTER and finds out which of its connections are gone."""

    def __init__(self, switchboard: Switchboard, socket: zmq.asyncio.Socket) -> None:
        """Take over a bound socket."""
        self._switchboard = switchboard
        self._socket = socket
        self._links: dict[bytes, Link] = {}
        """By the routing id that the socket gave the connection, oldest first."""
        self._descriptors: dict[bytes, int] = {}
        """The same connections as libzmq and the system know them."""
        self._doorkeeper: Final = Doorkeeper(socket, switchboard.clock, self._in_use)

    async def read(self) -> None:
        """Hand every frame that comes in to its link, for ever."""
        while True:
            self._take(await self._socket.recv_multipart(copy=False))
            for _ in range(_AT_ONCE_MAX):
                # A receive with DONTWAIT is done when it returns, one way or the other.
                pending = self._socket.recv_multipart(flags=zmq.DONTWAIT, copy=False)
                received = cast("asyncio.Future[list[zmq.Frame]]", pending)
                if received.exception() is not None:
                    break
                self._take(received.result())
            await asyncio.sleep(0)

    async def keep_door(self) -> None:
        """Bound the connections that strangers may hold, for ever."""
        await self._doorkeeper.run()

    async def sweep(self) -> None:
        """Drop links that do not greet, have ended, or whose connection is gone, for ever.

        ROUTER tells of a lost connection only when something is sent to it.
        """
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = self._switchboard.clock.now()
            for route, link in tuple(self._links.items()):
                if link.is_up:
                    link.send(_KEEPALIVE)
                if link.is_gone or (not link.is_up and now - link.since > GREETING_MAX):
                    self._forget(route)

    def _take(self, frames: list[zmq.Frame]) -> None:
        route = frames[0].bytes
        link = self._links.get(route) or self._open(route, frames[-1])
        # Our peers send one part after the routing id; anything else decodes as malformed.
        self._switchboard.receive(link, content_of(frames[1]) if len(frames) == 2 else b"")  # noqa: PLR2004  # see above

    def _open(self, route: bytes, frame: zmq.Frame) -> Link:
        if len(self._links) >= LINKS_MAX:
            self._make_room()
        host = host_of(frame)
        session = Session(
            self._switchboard.policy_at(host),
            Role.LISTENER,
            transport_key_of(str(frame.get("User-Id"))),
        )
        self._links[route] = Link(
            session,
            Role.LISTENER,
            self._socket,
            route=(route,),
            host=host,
            since=Millis(self._switchboard.clock.now()),
        )
        self._descriptors[route] = int(frame.get(zmq.SRCFD))
        return self._links[route]

    def _in_use(self) -> frozenset[int]:
        links = self._links.items()
        return frozenset(self._descriptors[route] for route, link in links if link.is_up)

    def _make_room(self) -> None:
        """Forget the oldest link without a session, so that crowds of strangers push out each other.

        Those with one stay: there are no more of them than peers that have found room, once a channel.
        """
        oldest = next((route for route, link in self._links.items() if not link.is_up), None)
        if oldest is not None:
            self._forget(oldest)

    def _forget(self, route: bytes) -> None:
        del self._descriptors[route]
        self._switchboard.drop(self._links.pop(route))
