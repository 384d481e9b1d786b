"""The transport over ZeroMQ: one listening socket, one dialed socket a peer and channel."""

import asyncio
import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import zmq
import zmq.asyncio

from lc_node.adapters.data_connection import DataConnection
from lc_node.adapters.names import Names
from lc_node.adapters.zmq_dialer import Dialer
from lc_node.adapters.zmq_dialing import Dialing, Kept
from lc_node.adapters.zmq_link import Link
from lc_node.adapters.zmq_listener import Listener
from lc_node.adapters.zmq_sockets import (
    TransportKeys,
    admit_everyone,
    open_gate,
    open_listener,
    plain_host,
)
from lc_node.adapters.zmq_switchboard import Switchboard
from lc_node.chain.crypto import Signer
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount, ChainId, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.transport import Channel, Connection, Inbound, PeerAddress, Refusal
from lc_node.wire.invitations import Ticket
from lc_node.wire.limits import DIALED_MAX
from lc_node.wire.messages import Frame
from lc_node.wire.session import Admits, Role, admits_everyone, identity_of

_log = logging.getLogger(__name__)

_SOCKETS_A_PEER: Final = 2 * 3
"""For each channel one that dials, and two by which it is watched."""
_OWN_SOCKETS: Final = 16
_ADMISSION_SECONDS: Final = 30.0
"""How long after its invitation has ended a guest of a private graph may stay."""


class CannotListen(LearningChainError):
    """The address to listen on is in use, or is not this machine's."""

    def __init__(self, host: str, port: int, why: str, setting: str = "port") -> None:
        """Name the address, and the setting that changes it."""
        super().__init__(
            f"cannot listen for peers on {host}:{port} ({why}); is another node running there? "
            f"Set another `{setting}` under [network] in config.toml"
        )
        self.host = host
        self.port = port


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportSettings:
    """Who we are and whom we know."""

    chain_id: ChainId
    signer: Signer
    keys: TransportKeys
    peers: Sequence[PeerAddress]
    """Whom to dial, always; an entry with our own key is passed over."""
    host: str = "*"
    port: int | None = None
    """Where to listen; 0 lets the system choose, None only dials out."""
    data_port: int = 0
    """Where to take data connections, if we listen; 0 lets the system choose."""
    tickets: tuple[Ticket, ...] = ()
    """By what a private graph lets us in."""
    admits: Admits = admits_everyone
    """Whom a private graph lets in."""


class ZmqTransport:
    """Implements ``ports.transport.Transport``: ``open``, then ``run`` until cancelled."""

    def __init__(self, settings: TransportSettings, clock: Clock) -> None:
        """Prepare; nothing is opened yet."""
        self._settings = settings
        self._own_key: Final = settings.signer.public_key
        self._dialing: Final = Dialing(
            {one.public_key: one for one in settings.peers if one.public_key != self._own_key},
            self._dialer,
        )
        identity = identity_of(
            settings.signer, settings.chain_id, settings.keys.public, settings.tickets
        )
        self._switchboard = Switchboard(identity, clock, self._dialing, settings.admits)
        self._context = zmq.asyncio.Context()
        # Else libzmq opens about a thousand, and one more ends the node.
        self._context.set(
            zmq.MAX_SOCKETS, _SOCKETS_A_PEER * (len(settings.peers) + DIALED_MAX) + _OWN_SOCKETS
        )
        self._names = Names()
        self._sockets: list[zmq.asyncio.Socket] = []
        self._port = 0

    @property
    def port(self) -> int:
        """The port that we listen on, 0 if we only dial out."""
        return self._port

    @property
    def peers(self) -> tuple[PublicKey, ...]:
        """The peers with an established session, sorted by key."""
        return self._switchboard.links.peers()

    def open(self) -> None:
        """Listen, so that the port is known before ``run``.

        Raises:
            CannotListen: the address is taken or not ours.
        """
        if self._settings.port is None:
            return
        # libzmq asks the gate before it admits anyone, so the gate is there first.
        self._sockets.append(open_gate(self._context))
        host, port = self._settings.host, self._settings.port
        try:
            listener = open_listener(self._context, self._settings.keys, host, port)
        except zmq.ZMQError as error:
            self.close()
            raise CannotListen(host, port, str(error)) from error
        self._sockets.append(listener)
        # A name or an interface is an address by now.
        endpoint = listener.getsockopt_string(zmq.LAST_ENDPOINT).removeprefix("tcp://")
        address, _, own_port = endpoint.rpartition(":")
        self._port = int(own_port)
        self._take_data(host if host == "*" else plain_host(address.strip("[]")))

    def _take_data(self, host: str) -> None:
        """Listen for data connections, too; who has named no port for them does without, if need be."""
        port = self._settings.data_port
        try:
            self._switchboard.data.open(host, port)
        except OSError as error:
            if port:
                self.close()
                raise CannotListen(host, port, str(error), "data_port") from error
            _log.warning("data connections are not taken: %s", error)

    async def run(self) -> None:
        """Connect to the peers that are dialed and serve those who connect, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                if self._sockets:
                    gate, socket = self._sockets
                    listener = Listener(self._switchboard, socket)
                    tasks.create_task(admit_everyone(gate))
                    tasks.create_task(listener.read())
                    tasks.create_task(listener.sweep())
                    tasks.create_task(listener.keep_door())
                tasks.create_task(self._keep_private())
                tasks.create_task(self._switchboard.data.run())
                self._dialing.start(tasks)
                # Also with nobody to dial yet: the group lives as long as we do.
                await asyncio.get_running_loop().create_future()
        finally:
            self._dialing.stop()
            self.close()

    def close(self) -> None:
        """Let go of the sockets and the port, also if ``run`` never ran; what was queued is lost."""
        for socket in self._sockets:
            socket.close(linger=0)
        self._sockets.clear()
        self._names.close()
        self._switchboard.data.close()
        self._context.destroy(linger=0)

    def send(self, peer: PublicKey, channel: Channel, frame: Frame) -> bool:
        """Queue a frame; False if the peer is unknown or its queue is full."""
        return self._switchboard.send(peer, channel, frame)

    async def receive(self, channel: Channel) -> Inbound:
        """Return the next frame on a channel."""
        _peer, inbound = await self._switchboard.inboxes[channel].take()
        return inbound

    async def changed(self) -> None:
        """Return when ``peers`` has changed since the last return."""
        await self._switchboard.changed.wait()
        self._switchboard.changed.clear()

    def forbid(self, peer: PublicKey) -> None:
        """Hang up on an identity and refuse it from now on."""
        self._switchboard.forbid(peer)

    def permit(self, peer: PublicKey) -> None:
        """Take ``forbid`` back."""
        self._switchboard.permit(peer)

    def dial(self, address: PeerAddress, *, keep: bool) -> bool:
        """Dial a peer beside the listed ones; False if there is no room, or it is ourselves."""
        return address.public_key != self._own_key and self._dialing.add(address, keep=keep)

    def undial(self, peer: PublicKey) -> None:
        """End what ``dial`` began, and the connection that came of it."""
        self._dialing.remove(peer)

    def refusal(self, peer: PublicKey) -> Refusal | None:
        """Return why there was no session when a peer was last dialed."""
        failure = self._switchboard.failures.get(peer)
        return failure.refusal if failure else None

    def welcome(self, peers: AbstractSet[PublicKey]) -> None:
        """Let these, instead of those named before, always find room when they dial us."""
        self._switchboard.welcome(peers)

    def connections(self) -> tuple[Connection, ...]:
        """Return the peers that are up, and those that we dial, sorted by key."""
        keys = sorted({*self.peers, *self._dialing})
        return tuple(self._connection(key) for key in keys)

    @property
    def data_connections(self) -> int:
        """How many peers' chunks travel over a connection of their own, for the metrics."""
        return len(self._switchboard.data)

    @property
    def data_port(self) -> int:
        """The port on which these are taken, 0 if we only dial out."""
        return self._switchboard.data.port

    def queued(self) -> dict[Channel, int]:
        """Return how many received frames wait on each channel, for the metrics."""
        return {channel: len(box) for channel, box in self._switchboard.inboxes.items()}

    def dropped(self) -> dict[Channel, int]:
        """Return how many received frames found no room on each channel, for the metrics."""
        return {channel: box.dropped for channel, box in self._switchboard.inboxes.items()}

    async def _keep_private(self) -> None:
        while True:
            await asyncio.sleep(_ADMISSION_SECONDS)
            self._switchboard.turn_out()

    def _dialer(self, address: PeerAddress, channel: Channel, is_kept: Kept) -> Dialer:
        return Dialer(
            self._switchboard,
            self._context,
            self._settings.keys,
            self._names,
            address,
            channel,
            is_kept=is_kept,
        )

    def _connection(self, peer: PublicKey) -> Connection:
        link = self._switchboard.links.route(peer, Channel.CONSENSUS)
        links = self._switchboard.links.of(peer)
        failure = self._switchboard.failures.get(peer)
        dialed = self._dialing.address(peer)
        data = self._switchboard.data.of(peer)
        carriers: list[Link | DataConnection] = [*links, *([data] if data else [])]
        return Connection(
            peer=peer,
            address=f"{dialed.host}:{dialed.port}" if dialed else link.host if link else "",
            is_up=link is not None,
            is_outbound=link is not None and link.role is Role.DIALER,
            is_listed=peer in self._dialing.listed,
            is_dialed=peer in self._dialing,
            host=link.host if link else "",
            refusal=failure.refusal if failure and link is None else None,
            since=link.since if link else failure.at if failure else Millis(0),
            bytes_in=ByteCount(sum(one.bytes_in for one in carriers)),
            bytes_out=ByteCount(sum(one.bytes_out for one in carriers)),
        )
