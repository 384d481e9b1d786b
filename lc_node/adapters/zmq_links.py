"""Which links are up, which of two to a peer is used, and which one goes."""

from collections.abc import Iterator

from lc_node.adapters.zmq_link import Link
from lc_node.chain.types import PublicKey
from lc_node.ports.transport import Channel
from lc_node.wire.session import Role, keeper_of


class Links:
    """The established links by peer, channel and who dialed: at most one of each."""

    def __init__(self, own_key: PublicKey) -> None:
        """Start with none."""
        self._own_key = own_key
        self._links: dict[tuple[PublicKey, Channel, Role], Link] = {}

    def __iter__(self) -> Iterator[Link]:
        return iter(tuple(self._links.values()))

    def add(self, link: Link) -> tuple[Link, ...]:
        """Take up an established link; return those that it makes superfluous."""
        place = link.place
        if place is None:
            return ()
        peer, channel = place
        older = self._links.get((peer, channel, link.role))
        self._links[peer, channel, link.role] = link
        dialed = self._links.get((peer, channel, Role.DIALER))
        heard = self._links.get((peer, channel, Role.LISTENER))
        is_kept = keeper_of(self._own_key, peer) == self._own_key
        # Both have dialed: the one with the higher key takes its own connection back.
        superfluous = dialed if dialed and heard and not is_kept else None
        return tuple(one for one in (older, superfluous) if one is not None)

    def remove(self, link: Link) -> bool:
        """Forget a link; return whether it was among the established ones."""
        place = link.place
        if place is None or self._links.get((*place, link.role)) is not link:
            return False
        del self._links[*place, link.role]
        return True

    def route(self, peer: PublicKey, channel: Channel) -> Link | None:
        """Return the link to use: of two, the one that the lower key dialed."""
        is_kept = keeper_of(self._own_key, peer) == self._own_key
        roles = (Role.DIALER, Role.LISTENER) if is_kept else (Role.LISTENER, Role.DIALER)
        for role in roles:
            link = self._links.get((peer, channel, role))
            if link is not None:
                return link
        return None

    def heard(self, peer: PublicKey, channel: Channel) -> Link | None:
        """Return the link that the peer dialed."""
        return self._links.get((peer, channel, Role.LISTENER))

    def of(self, peer: PublicKey) -> tuple[Link, ...]:
        """Return every link to a peer."""
        places = ((peer, channel, role) for channel in Channel for role in Role)
        return tuple(link for place in places if (link := self._links.get(place)) is not None)

    def is_up(self, peer: PublicKey) -> bool:
        """Return whether a peer has an established consensus link."""
        return self.route(peer, Channel.CONSENSUS) is not None

    def peers(self) -> tuple[PublicKey, ...]:
        """Return the peers with an established consensus link, sorted by key."""
        keys = {key for key, channel, _ in self._links if channel is Channel.CONSENSUS}
        return tuple(sorted(keys))

    def guests(self) -> frozenset[PublicKey]:
        """Return who has established links, but none for the agreement."""
        return frozenset(key for key, _, _ in self._links).difference(self.peers())
