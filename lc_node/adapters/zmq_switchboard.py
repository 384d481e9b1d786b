"""What all links of a node share: who may connect, which links are up, where their frames go."""

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from lc_node.adapters.data_connections import DataConnections
from lc_node.adapters.inbox import Inbox
from lc_node.adapters.zmq_link import Link
from lc_node.adapters.zmq_links import Links
from lc_node.chain.types import ByteCount, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.transport import Channel, Inbound, Refusal
from lc_node.wire.endpoints import Reach, group_of, reach_of
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import (
    CHUNK_HEADER_BYTES,
    FAILURES_MAX,
    GUESTS_MAX,
    INBOX,
    PEERS_MAX,
    PEERS_PER_NETWORK_MAX,
)
from lc_node.wire.messages import DataLost, Frame, encode_message
from lc_node.wire.session import Admits, Identity, Outcome, Policy, Role, State, admits_everyone

_LOST: Final = encode_message(DataLost())


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the last attempt to reach a peer came to nothing."""

    refusal: Refusal
    at: Millis


class Switchboard:
    """Feeds frames to their links' sessions, and keeps account of those that are established."""

    def __init__(
        self,
        identity: Identity,
        clock: Clock,
        dialed: AbstractSet[PublicKey],
        admits: Admits = admits_everyone,
    ) -> None:
        """Begin without links; peers that are ``dialed``, at the time, always find room."""
        self.clock: Final = clock
        self.links: Final = Links(identity.node_key)
        self.inboxes: Final = {channel: Inbox[Inbound](INBOX[channel]) for channel in Channel}
        self.data: Final = DataConnections(
            clock, partial(self._deliver, Channel.BULK), on_lost=self._tell_lost
        )
        self.failures: Final[dict[PublicKey, Failure]] = {}
        self.changed: Final = asyncio.Event()
        self.policy: Final = Policy(
            identity=identity,
            is_forbidden=self.is_forbidden,
            has_room=self._has_room,
            admits=admits,
        )
        self._dialed = dialed
        self._welcome: AbstractSet[PublicKey] = frozenset()
        self._forbidden: set[PublicKey] = set()
        self._turned_away: dict[PublicKey, None] = {}
        """Who found no seat, the latest last."""

    def receive(self, link: Link, frame: Frame) -> None:
        """Take a frame that came in on a link."""
        link.bytes_in = ByteCount(link.bytes_in + len(frame))
        before = link.session.state
        outcome = link.session.receive(frame)
        self.perform(link, outcome)
        if before is not link.session.state:
            self._moved(link)
        if outcome.deliver and link.place is not None:
            peer, channel = link.place
            self._deliver(channel, peer, frame)
            if channel is Channel.BULK:
                self.data.hear(peer, link.host, link.role, frame, link.send)
                self._note_chunk(peer, link, frame)

    def send(self, peer: PublicKey, channel: Channel, frame: Frame) -> bool:
        """Queue a frame for a peer; False if there is nobody, or no room."""
        link = self.links.route(peer, channel)
        if link is None:
            return False
        if _is_chunk(frame):
            data = self.data.of(peer)
            if data is not None:
                return data.send(frame)
            self._note_chunk(peer, link, frame)
        is_sent = link.send(frame)
        if link.is_gone:
            self.drop(link)
        return is_sent

    def perform(self, link: Link, outcome: Outcome) -> None:
        """Send what a session answers."""
        for frame in outcome.send:
            link.send(frame)

    def hang_up(self, link: Link, reason: Refusal) -> None:
        """End a link and tell the peer why."""
        self.perform(link, link.session.hang_up(reason))
        self.drop(link)

    def drop(self, link: Link) -> None:
        """Forget a link whose connection is over."""
        if self.links.remove(link):
            self.changed.set()
            peer = link.session.peer
            if peer is not None and self.links.route(peer, Channel.BULK) is None:
                self.data.forget(peer)
        link.end()

    def fail(self, peer: PublicKey, refusal: Refusal) -> None:
        """Remember why a peer that we dial could not be reached."""
        self.failures.pop(peer, None)
        self.failures[peer] = Failure(refusal=refusal, at=self.clock.now())
        if len(self.failures) > FAILURES_MAX:
            del self.failures[next(iter(self.failures))]

    def forbid(self, peer: PublicKey) -> None:
        """Hang up on an identity and refuse it from now on."""
        self._forbidden.add(peer)
        for link in self.links.of(peer):
            self.hang_up(link, Refusal.BANNED)
        for inbox in self.inboxes.values():
            inbox.forget(peer)

    def turn_out(self) -> None:
        """Hang up on those whom our graph admits no more, as when an invitation has ended."""
        for link in self.links:
            if not link.session.is_admitted():
                self.hang_up(link, Refusal.NOT_INVITED)

    def permit(self, peer: PublicKey) -> None:
        """Take ``forbid`` back."""
        self._forbidden.discard(peer)

    def is_forbidden(self, peer: PublicKey) -> bool:
        """Return whether an identity is refused."""
        return peer in self._forbidden

    def policy_at(self, host: str) -> Policy:
        """Return what decides on the greeting of who has dialed us from a host."""
        return replace(self.policy, has_room=partial(self._has_room_at, host))

    def welcome(self, peers: AbstractSet[PublicKey]) -> None:
        """Let these always find room."""
        self._welcome = frozenset(peers)

    def _deliver(self, channel: Channel, peer: PublicKey, frame: Frame) -> None:
        inbound = Inbound(peer=peer, channel=channel, frame=frame)
        self.inboxes[channel].put(peer, inbound, len(frame))

    def _note_chunk(self, peer: PublicKey, link: Link, frame: Frame) -> None:
        """A chunk has gone over a session: more may follow, so it gets a connection for them.

        Of two links the one that both ends use, so that they do not make one each.
        """
        is_ours = link.role is Role.DIALER and link is self.links.route(peer, Channel.BULK)
        if is_ours and _is_chunk(frame):
            self.data.want(peer, link.send)

    def _tell_lost(self, peer: PublicKey) -> None:
        """A data connection has ended: what we have sent over it the peer may wait for."""
        self.send(peer, Channel.BULK, _LOST)

    def _moved(self, link: Link) -> None:
        """A session was established, or ended."""
        if link.session.state is State.CLOSED:
            self.drop(link)
            return
        link.since = self.clock.now()
        self._leave_older(link)
        for superfluous in self.links.add(link):
            if superfluous.role is Role.LISTENER:
                # Silently: nobody reads there any more, or it is told once it speaks again.
                superfluous.session.hang_up(Refusal.GREET_FIRST)
            superfluous.end()
        if link.place is not None:
            self.failures.pop(link.place[0], None)
        link.greeted.set()
        self.changed.set()

    def _leave_older(self, link: Link) -> None:
        """A peer that dials again has lost its data connection with its older session, whether we know it or not."""
        if link.place is not None and link.place[1] is Channel.BULK:
            route = self.links.route(*link.place)
            if route is None or route.role is link.role:
                self.data.forget(link.place[0])

    def _has_room(self, peer: PublicKey, channel: Channel) -> bool:
        """Return whether a peer may stay: strangers fill the room that is theirs, and no other."""
        peers = self.links.peers()
        if peer in self._dialed or peer in self._welcome or peer in peers:
            return True
        if channel is Channel.BULK:  # a guest; or a peer whose other link is on its way
            is_refused = peer in self._turned_away
            return not is_refused and len(self.links.guests() - {peer}) < GUESTS_MAX
        return len(self._strangers()) < PEERS_MAX

    def _has_room_at(self, host: str, peer: PublicKey, channel: Channel) -> bool:
        """Return whether a peer may stay that has dialed us from a host; who gets no seat is no guest either."""
        has_room = self._has_room(peer, channel) and self._is_spread(host, peer, channel)
        if channel is Channel.CONSENSUS:
            self._note_seat(peer, has_seat=has_room)
        return has_room

    def _note_seat(self, peer: PublicKey, *, has_seat: bool) -> None:
        """Remember who was turned away: its other link would take the room of those who only ask."""
        self._turned_away.pop(peer, None)
        if has_seat:
            return
        self._turned_away[peer] = None
        if len(self._turned_away) > FAILURES_MAX:
            del self._turned_away[next(iter(self._turned_away))]
        for link in self.links.of(peer):
            self.hang_up(link, Refusal.FULL)

    def _is_spread(self, host: str, peer: PublicKey, channel: Channel) -> bool:
        """Return whether there is room for one more of a host's network: one network is not all strangers."""
        is_known = peer in self._dialed or peer in self._welcome or peer in self.links.peers()
        if is_known or reach_of(host) is not Reach.WORLD:
            return True
        are_guests = channel is Channel.BULK
        others = self.links.guests() - {peer} if are_guests else self._strangers()
        routes = [self.links.route(one, channel) for one in others]
        groups = [group_of(link.host) for link in routes if link is not None]
        return groups.count(group_of(host)) < PEERS_PER_NETWORK_MAX

    def _strangers(self) -> list[PublicKey]:
        peers = self.links.peers()
        return [one for one in peers if one not in self._dialed and one not in self._welcome]


def _is_chunk(frame: Frame) -> bool:
    return len(frame) > CHUNK_HEADER_BYTES and frame[0] == Kind.CHUNK
