"""One connection to a peer: its session, its socket's end of it, and what has passed over it."""

import asyncio
from collections import deque
from typing import Final, cast

import zmq
import zmq.asyncio

from lc_node.chain.types import ByteCount, Millis, PublicKey
from lc_node.ports.transport import Channel
from lc_node.wire.limits import LARGE_FRAME_BYTES, SENDING_BYTES
from lc_node.wire.messages import Frame
from lc_node.wire.session import Role, Session, State


class Link:
    """A connection that we dialed (over its own DEALER) or that was dialed to our ROUTER."""

    def __init__(
        self,
        session: Session,
        role: Role,
        socket: zmq.asyncio.Socket,
        *,
        route: tuple[bytes, ...],
        host: str,
        since: Millis,
    ) -> None:
        """Begin with a session that is still greeting; ``route`` precedes each frame to a ROUTER's peer.

        ``host`` is where the other end is, as far as it is known.
        """
        self.session: Final = session
        self.role: Final = role
        self.host = host
        self.since = since
        self.bytes_in = ByteCount(0)
        self.bytes_out = ByteCount(0)
        self.is_gone = False
        self.greeted: Final = asyncio.Event()
        """Set once the session is established or closed."""
        self.ended: Final = asyncio.Event()
        self._socket = socket
        self._route = route
        self._large: deque[tuple[zmq.MessageTracker, int]] = deque()
        self._large_bytes = 0

    @property
    def is_up(self) -> bool:
        """Whether the session is established."""
        return self.session.state is State.ESTABLISHED

    @property
    def place(self) -> tuple[PublicKey, Channel] | None:
        """Whom the link leads to and for what, once it is known."""
        peer = self.session.peer
        return None if peer is None else (peer, self.session.channel)

    def send(self, frame: Frame) -> bool:
        """Queue a frame without waiting; False if there is no room or nobody there."""
        is_large = len(frame) >= LARGE_FRAME_BYTES
        if is_large and not self._has_room(len(frame)):
            return False
        pending = self._socket.send_multipart(
            [*self._route, frame], flags=zmq.DONTWAIT, copy=not is_large, track=is_large
        )
        # A send with DONTWAIT is done when it returns, one way or the other.
        sent = cast("asyncio.Future[zmq.MessageTracker]", pending)
        error = sent.exception()
        if error is not None:
            self.is_gone = self.is_gone or not isinstance(error, zmq.Again)
            return False
        if is_large:
            self._large.append((sent.result(), len(frame)))
            self._large_bytes += len(frame)
        self.bytes_out = ByteCount(self.bytes_out + len(frame))
        return True

    def end(self) -> None:
        """Let whoever waits for this link go on."""
        self.greeted.set()
        self.ended.set()

    def _has_room(self, size: int) -> bool:
        while self._large and self._large[0][0].done:
            self._large_bytes -= self._large.popleft()[1]
        return self._large_bytes + size <= SENDING_BYTES
