"""ZeroMQ sockets as peers use them: encrypted, bounded, quick to notice a dead end."""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final

import zmq
import zmq.asyncio
from zmq.utils import z85

from lc_node.ports.transport import Channel, PeerAddress, TransportKey
from lc_node.wire.limits import (
    FRAME_BYTES_MAX,
    GREETING_MAX,
    INBOX,
    LARGE_FRAME_BYTES,
    LINKS_MAX,
    SENDING_FRAMES,
)
from lc_node.wire.messages import Frame

_ZAP_ENDPOINT: Final = "inproc://zeromq.zap.01"
_ZAP_DOMAIN: Final = b"learningchain"
_ZAP_PARTS: Final = 7
_HEARTBEAT_MS: Final = 2_000
_HEARTBEAT_TIMEOUT_MS: Final = 8_000
"""A connection that carries nothing is given up before TCP's pauses between its attempts grow longer still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportKeys:
    """A CURVE key pair; the public half is what the peer list shows."""

    public: TransportKey
    secret: bytes

    def __repr__(self) -> str:
        """Show the public half only: a repr ends up in logs."""
        return f"TransportKeys(public={self.public.hex()})"


def generate_transport_keys() -> TransportKeys:
    """Return a new key pair."""
    _public, secret = zmq.curve_keypair()
    return transport_keys_of(z85.decode(secret))


def transport_keys_of(secret: bytes) -> TransportKeys:
    """Return the pair that a stored secret of 32 bytes belongs to."""
    public = z85.decode(zmq.curve_public(z85.encode(secret)))
    return TransportKeys(public=TransportKey(public), secret=secret)


def transport_key_of(user_id: str) -> TransportKey:
    """Return the CURVE key that our ZAP answer put on a frame as its user id."""
    return TransportKey(z85.decode(user_id))


def host_of(frame: zmq.Frame) -> str:
    """Return the network address that a frame came from, IPv4 as such also on a socket of both kinds."""
    return plain_host(str(frame.get("Peer-Address")))


@lru_cache(maxsize=LINKS_MAX)  # the same for every frame of a connection
def plain_host(address: str) -> str:
    """Return a network address without its zone, IPv4 as such also where it is written as IPv6."""
    host = ip_address(address.partition("%")[0])
    mapped = host.ipv4_mapped if isinstance(host, IPv6Address) else None
    return str(mapped or host)


def content_of(frame: zmq.Frame) -> Frame:
    """Return the bytes of a frame that came in; a large one is not copied."""
    return frame.buffer if len(frame) >= LARGE_FRAME_BYTES else frame.bytes


def open_listener(
    context: zmq.asyncio.Context, keys: TransportKeys, host: str, port: int
) -> zmq.asyncio.Socket:
    """Return a bound ROUTER; port 0 lets the system choose.

    Raises:
        zmq.ZMQError: the address is in use or not ours.
    """
    socket = context.socket(zmq.ROUTER)
    # Before the first caller, so that the doorkeeper misses none.
    monitor = socket.get_monitor_socket(zmq.Event.ACCEPTED | zmq.Event.DISCONNECTED)
    try:
        _bound(socket)
        # Without it, ROUTER drops frames for unknown or full peers and says nothing.
        socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        socket.setsockopt(zmq.BACKLOG, LINKS_MAX)
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, _ZAP_DOMAIN)
        socket.bind(f"tcp://{host}:{port or '*'}")
    except zmq.ZMQError:
        socket.disable_monitor()
        monitor.close(linger=0)
        socket.close(linger=0)
        raise
    return socket


def open_dialer(
    context: zmq.asyncio.Context, keys: TransportKeys, address: PeerAddress
) -> zmq.asyncio.Socket:
    """Return a DEALER for one attempt to reach a peer; it never reconnects by itself.

    No routing id is set: a chosen one could be squatted by another, an assigned one cannot.
    """
    socket = context.socket(zmq.DEALER)
    _bound(socket)
    socket.setsockopt(zmq.RECONNECT_IVL, -1)
    socket.setsockopt(zmq.CONNECT_TIMEOUT, GREETING_MAX)
    socket.setsockopt(zmq.CURVE_SERVERKEY, address.transport_key)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
    return socket


def open_gate(context: zmq.asyncio.Context) -> zmq.asyncio.Socket:
    """Return the socket on which libzmq asks whom to admit (ZAP, RFC 27)."""
    socket = context.socket(zmq.REP)
    socket.bind(_ZAP_ENDPOINT)
    return socket


async def admit_everyone(gate: zmq.asyncio.Socket) -> None:
    """Answer every question of the gate with yes, and put the caller's CURVE key on its frames.

    Who may stay is decided by the greeting, which proves the node key behind the CURVE key.
    """
    while True:
        parts = await gate.recv_multipart()
        is_curve = len(parts) == _ZAP_PARTS and parts[5] == b"CURVE"
        status, text = (b"200", b"OK") if is_curve else (b"400", b"CURVE only")
        user_id = z85.encode(parts[6]) if is_curve else b""
        await gate.send_multipart([parts[0], parts[1], status, text, user_id, b""])


def _bound(socket: zmq.asyncio.Socket) -> None:
    """Put a limit on everything that libzmq would otherwise let grow or wait for ever."""
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    socket.setsockopt(zmq.SNDHWM, SENDING_FRAMES)
    # A full receive queue stops the peer by TCP; it loses nothing.
    socket.setsockopt(zmq.RCVHWM, INBOX[Channel.BULK].frames // 32)
    socket.setsockopt(zmq.HANDSHAKE_IVL, GREETING_MAX)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _HEARTBEAT_TIMEOUT_MS)
    socket.copy_threshold = 0
