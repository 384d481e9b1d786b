"""A connection to one node's peer port, over which a light client asks: no node of its own is needed.

The caller's keys live as long as the connection. It opens the channel of questions only, so that the node
sends it nothing else and reserves no seat for it (docs/LIGHT.md).
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from lc_node.api.light_places import Server, address_of, guests
from lc_node.chain.errors import LearningChainError, MalformedBytes
from lc_node.chain.types import ChainId, PublicKey, Signature
from lc_node.wire.endpoints import Endpoint
from lc_node.wire.invitations import claim
from lc_node.wire.kinds import Channel
from lc_node.wire.limits import FRAME_BYTES_MAX, GREETING_MAX
from lc_node.wire.messages import Request, Response, decode_message, encode_message
from lc_node.wire.session import (
    Identity,
    Outcome,
    Policy,
    Role,
    Session,
    State,
    TransportKey,
    identity_of,
)
from lc_node.wire.topics import Topic

ANSWER_SECONDS: Final = 15.0
"""A node that has not answered by then is asked no more."""

_HEARTBEAT_MS: Final = 5_000
_OVER: Final = frozenset(
    {
        zmq.Event.CLOSED,
        zmq.Event.DISCONNECTED,
        zmq.Event.HANDSHAKE_FAILED_AUTH,
        zmq.Event.HANDSHAKE_FAILED_NO_DETAIL,
        zmq.Event.HANDSHAKE_FAILED_PROTOCOL,
    }
)


class ServerFailed(LearningChainError):
    """A node cannot be asked; another one may."""


class _Key:
    """A key in memory: made for one connection and forgotten with it, or given with an invitation."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @property
    def public_key(self) -> PublicKey:
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> Signature:
        return Signature(self._key.sign(message))


class LightLink:
    """Questions and answers over one greeted connection, one after the other."""

    def __init__(
        self,
        socket: "zmq.Socket[bytes]",
        monitor: "zmq.Socket[bytes]",
        session: Session,
        address: str,
    ) -> None:
        """Take over sockets; see ``opened``."""
        self._socket = socket
        self._monitor = monitor
        self._session = session
        self._address = address
        self._number = 0
        self._poller = zmq.Poller()
        for one in (socket, monitor):
            self._poller.register(one, zmq.POLLIN)

    def greet(self) -> None:
        """Become known to the node.

        Raises:
            ServerFailed: it is not there, is another one, or refuses.
        """
        deadline = time.monotonic() + GREETING_MAX / 1_000
        try:
            self._socket.connect(self._address)
        except zmq.ZMQError as error:
            raise self._failed(f"is no place to connect to ({error})") from error
        self._perform(self._session.open())
        while self._session.state is State.GREETING:
            self._perform(self._session.receive(self._next_frame(deadline)))
        self._validate_up()

    def ask(self, topic: Topic, payload: bytes) -> bytes | None:
        """Return the node's answer, None if it has none.

        Raises:
            ServerFailed: it does not answer.
        """
        number, self._number = self._number, self._number + 1
        self._send(encode_message(Request(number=number, topic=topic, payload=payload)))
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            frame = self._next_frame(deadline)
            outcome = self._session.receive(frame)
            self._perform(outcome)
            self._validate_up()
            answer = self._response(frame, number) if outcome.deliver else None
            if answer is not None:
                return answer.payload if answer.found else None

    def _response(self, frame: bytes, number: int) -> Response | None:
        """Return the answer to a question if a frame is that; whatever else a node may say is passed over."""
        try:
            message = decode_message(frame)
        except MalformedBytes as error:
            raise self._failed(f"says what is no message ({error})") from error
        is_ours = isinstance(message, Response) and message.number == number
        return message if is_ours and isinstance(message, Response) else None

    def _perform(self, outcome: Outcome) -> None:
        for frame in outcome.send:
            self._send(frame)

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.send(frame, flags=zmq.DONTWAIT)
        except zmq.ZMQError as error:
            raise self._failed(f"cannot be sent anything ({error})") from error

    def _next_frame(self, deadline: float) -> bytes:
        """Return what the node sends next, until the deadline: a node may also talk for ever."""
        while (left := deadline - time.monotonic()) > 0:
            ready = dict(self._poller.poll(int(left * 1_000) + 1))
            if self._socket in ready:
                frames = self._socket.recv_multipart()
                return frames[0] if len(frames) == 1 else b""
            if self._monitor in ready and recv_monitor_message(self._monitor)["event"] in _OVER:
                raise self._failed("does not answer, or holds another transport key")
        raise self._failed("is silent")

    def _validate_up(self) -> None:
        """Check that the session stands."""
        if self._session.state is not State.ESTABLISHED:
            refusal = self._session.refusal
            why = "no reason" if refusal is None else refusal.words
            raise self._failed(f"refuses the connection: {why}")

    def _failed(self, why: str) -> ServerFailed:
        return ServerFailed(f"{self._address} {why}")


@contextmanager
def opened(server: Server, chain_id: ChainId) -> Iterator[LightLink]:
    """Connect to a node for as long as the context lasts, at the first of its places that answers.

    Raises:
        ServerFailed: it is not there, is another one, or refuses.
    """
    *first, last = server.endpoints
    for endpoint in first:
        with ExitStack() as stack:
            try:
                link = stack.enter_context(_opened_at(endpoint, server, chain_id))
            except ServerFailed:
                continue
            yield link
            return
    with _opened_at(last, server, chain_id) as link:
        yield link


@contextmanager
def _opened_at(endpoint: Endpoint, server: Server, chain_id: ChainId) -> Iterator[LightLink]:
    public, secret = zmq.curve_keypair()
    policy = Policy(
        identity=_identity(server, chain_id, TransportKey(z85.decode(public))),
        is_forbidden=lambda _key: False,
        has_room=lambda _key, _channel: True,
    )
    session = Session(
        policy,
        Role.DIALER,
        server.transport_key,
        channel=Channel.BULK,
        expected=server.node_key,
    )
    socket = _socket(server, public, secret)
    monitor = socket.get_monitor_socket()
    try:
        link = LightLink(socket, monitor, session, address_of(endpoint))
        link.greet()
        yield link
    finally:
        socket.disable_monitor()
        monitor.close(linger=0)
        socket.close(linger=0)


def _identity(server: Server, chain_id: ChainId, transport_key: TransportKey) -> Identity:
    """Return who we are on a connection: nobody yet known, perhaps with an invitation."""
    me = _Key(Ed25519PrivateKey.generate())
    tickets = tuple(
        claim(
            one.invitation,
            _Key(Ed25519PrivateKey.from_private_bytes(secret)),
            chain_id,
            me.public_key,
        )
        for one, secret in guests(server.passes)
    )
    return identity_of(me, chain_id, transport_key, tickets)


def _socket(server: Server, public: bytes, secret: bytes) -> "zmq.Socket[bytes]":
    """Return a socket for one attempt; it never reconnects by itself, and holds no more than it must."""
    # One context for the process: see api.client.
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context.instance()
    socket = context.socket(zmq.DEALER)
    socket.set(zmq.LINGER, 0)
    socket.set(zmq.IPV6, 1)
    socket.set(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    socket.set(zmq.RECONNECT_IVL, -1)
    socket.set(zmq.CONNECT_TIMEOUT, GREETING_MAX)
    socket.set(zmq.HANDSHAKE_IVL, GREETING_MAX)
    socket.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, 3 * _HEARTBEAT_MS)
    socket.set(zmq.CURVE_SERVERKEY, server.transport_key)
    socket.set(zmq.CURVE_PUBLICKEY, public)
    socket.set(zmq.CURVE_SECRETKEY, secret)
    return socket
