"""The connected peers, and the few of them to whom messages are pushed without being asked for."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from lc_node.chain.types import Millis, MillisSpan, PublicKey

PUSHED_TO: Final = 6
"""Peers that a message is pushed to (D of gossipsub): with fewer, silent ones cut the graph too often."""
DIALED_MIN: Final = 3
"""Of these, as many that we have chosen to dial: strangers who crowd in cannot take their places."""
ROTATION: Final = MillisSpan(60_000)
"""After this long one of them gives its place to another, so that no choice lasts for ever."""

Draw: TypeAlias = Callable[[int], int]
"""Returns a number from 0 up to, not including, its argument."""
IsBad: TypeAlias = Callable[[PublicKey, Millis], bool]
"""Says whether a peer has misbehaved too much to be relied upon."""


@dataclass(slots=True, kw_only=True)
class _Neighbour:
    is_dialed: bool
    quiet_until: Millis
    """It has asked not to be pushed to before then."""


class Neighbours:
    """Keeps as many peers to push to as there should be, and changes them rarely."""

    def __init__(self, draw: Draw, is_bad: IsBad) -> None:
        """Start alone."""
        self._draw = draw
        self._is_bad = is_bad
        self._peers: dict[PublicKey, _Neighbour] = {}
        self._mesh: set[PublicKey] = set()
        self._rotated_at: Millis | None = None

    def __contains__(self, peer: object) -> bool:
        return peer in self._peers

    def joined(self, peer: PublicKey, *, is_dialed: bool, now: Millis) -> None:
        """Take up a peer; ``is_dialed`` says that we have chosen it."""
        self._peers[peer] = _Neighbour(is_dialed=is_dialed, quiet_until=Millis(0))
        self.tend(now)

    def left(self, peer: PublicKey, now: Millis) -> None:
        """Forget a peer."""
        self._peers.pop(peer, None)
        self.tend(now)

    def silence(self, peer: PublicKey, until: Millis) -> None:
        """Push nothing to a peer before a moment: it has asked for that."""
        neighbour = self._peers.get(peer)
        if neighbour is not None:
            neighbour.quiet_until = until
            self._mesh.discard(peer)

    def is_dialed(self, peer: PublicKey) -> bool:
        """Return whether we have chosen a peer."""
        neighbour = self._peers.get(peer)
        return neighbour is not None and neighbour.is_dialed

    def trusted(self, now: Millis) -> tuple[PublicKey, ...]:
        """Return the peers that have not misbehaved too much, sorted by key."""
        return tuple(peer for peer in sorted(self._peers) if not self._is_bad(peer, now))

    def listening(self, now: Millis) -> tuple[PublicKey, ...]:
        """Return the trusted peers that have not asked for quiet, sorted by key."""
        return tuple(p for p in self.trusted(now) if self._peers[p].quiet_until <= now)

    def mesh(self, now: Millis) -> tuple[PublicKey, ...]:
        """Return the peers to push to, sorted by key."""
        return tuple(peer for peer in sorted(self._mesh) if not self._is_bad(peer, now))

    def others(self, now: Millis) -> tuple[PublicKey, ...]:
        """Return the trusted peers that are not pushed to, sorted by key."""
        mesh = self.mesh(now)
        return tuple(peer for peer in self.trusted(now) if peer not in mesh)

    def some_of(self, peers: Iterable[PublicKey], now: Millis) -> tuple[PublicKey, ...]:
        """Return at most as many of these peers as are pushed to: those first who are."""
        wanted = frozenset(peers)
        able = [peer for peer in self.trusted(now) if peer in wanted]
        pushed = [peer for peer in able if peer in self._mesh]
        return tuple(pushed + self.drawn([p for p in able if p not in pushed], PUSHED_TO))[
            :PUSHED_TO
        ]

    def drawn(self, peers: Sequence[PublicKey], count: int) -> list[PublicKey]:
        """Return ``count`` of the peers at random, or all."""
        left = list(peers)
        return [left.pop(self._draw(len(left))) for _ in range(min(count, len(left)))]

    def tend(self, now: Millis) -> None:
        """Let go of who is gone, bad or wants quiet; fill the places; now and then change one."""
        able = self.listening(now)
        self._mesh.intersection_update(able)
        self._rotate(able, now)
        self._prefer_dialed([peer for peer in able if self._peers[peer].is_dialed])
        spare = [peer for peer in able if peer not in self._mesh]
        self._mesh.update(self.drawn(spare, PUSHED_TO - len(self._mesh)))

    def _rotate(self, able: Sequence[PublicKey], now: Millis) -> None:
        """Give one place away, if it is time and there is somebody else for it."""
        if self._rotated_at is None:
            self._rotated_at = now
        if now < self._rotated_at + ROTATION:
            return
        self._rotated_at = now
        spare = [peer for peer in able if peer not in self._mesh]
        if spare and len(self._mesh) == PUSHED_TO:
            self._replace(sorted(self._mesh), spare)

    def _prefer_dialed(self, dialed: Sequence[PublicKey]) -> None:
        """See that enough places are held by peers that we have chosen, as far as there are any."""
        spare = [peer for peer in dialed if peer not in self._mesh]
        while spare and len(self._mesh) - len(self._strangers()) < DIALED_MIN:
            if len(self._mesh) < PUSHED_TO:
                self._mesh.update(self.drawn(spare, 1))
            else:
                self._replace(self._strangers(), spare)
            spare = [peer for peer in spare if peer not in self._mesh]

    def _strangers(self) -> list[PublicKey]:
        return [peer for peer in sorted(self._mesh) if not self._peers[peer].is_dialed]

    def _replace(self, olds: Sequence[PublicKey], news: Sequence[PublicKey]) -> None:
        self._mesh.difference_update(self.drawn(olds, 1))
        self._mesh.update(self.drawn(news, 1))
