"""Nodes that we were pointed to without a record of theirs: by the owner, a join line, a neighbour's announcement."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from lc_node.chain.types import Millis, MillisSpan, PublicKey
from lc_node.ports.transport import PeerAddress

HINTS_MAX: Final = 128
"""Hints remembered; the oldest that may go gives way."""
HINTED_WANTED: Final = 8
"""Connections that come of hints, beside those that we choose from the book."""
_RETRY_FIRST: Final = MillisSpan(1_000)
_RETRY_LAST: Final = MillisSpan(30_000)
_DOUBLINGS_MAX: Final = 8


class Origin(Enum):
    """Where we know a peer from, as the owner reads it."""

    LISTED = "listed"
    SEED = "seed"
    """Named by a join line or by the graph's own document."""
    MULTICAST = "multicast"
    RECORD = "record"
    DIALED_IN = "dialed in"


@dataclass(slots=True, kw_only=True)
class Hint:
    """A node that we were pointed to, and how dialing it went."""

    address: PeerAddress
    origin: Origin
    failures: int = 0
    due: Millis = Millis(0)  # noqa: RUF009  # a NewType is no call


class Hints:
    """The hints; seeds are kept for ever, others make room for newer ones."""

    def __init__(self) -> None:
        """Start without any."""
        self._hints: dict[PublicKey, Hint] = {}

    def add(self, address: PeerAddress, origin: Origin) -> None:
        """Take a hint; a newer one about the same node replaces where it is, but a seed stays a seed."""
        peer = address.public_key
        known = self._hints.get(peer)
        if known is None:
            self._hints[peer] = Hint(address=address, origin=origin)
            self._forget_oldest()
        elif origin is Origin.SEED or known.origin is not Origin.SEED:
            if known.address != address:
                known.failures, known.due = 0, Millis(0)
            known.address, known.origin = address, origin

    def origin(self, peer: PublicKey) -> Origin | None:
        """Return who pointed us to a node."""
        hint = self._hints.get(peer)
        return None if hint is None else hint.origin

    def due(self, now: Millis) -> tuple[PeerAddress, ...]:
        """Return whom to dial, the oldest hint first, after longer and longer pauses."""
        # A pause that seems longer than the longest was begun before the clock was set back.
        return tuple(
            hint.address
            for hint in self._hints.values()
            if not now < hint.due <= now + _RETRY_LAST
        )

    def attempt(self, peer: PublicKey, now: Millis) -> None:
        """Count that a node is being dialed."""
        hint = self._hints.get(peer)
        if hint is not None:
            pause = min(_RETRY_FIRST << min(hint.failures, _DOUBLINGS_MAX), _RETRY_LAST)
            hint.failures, hint.due = hint.failures + 1, Millis(now + pause)

    def good(self, peer: PublicKey) -> None:
        """Note that a node has answered."""
        hint = self._hints.get(peer)
        if hint is not None:
            hint.failures, hint.due = 0, Millis(0)

    def _forget_oldest(self) -> None:
        if len(self._hints) <= HINTS_MAX:
            return
        transient = (key for key, hint in self._hints.items() if hint.origin is not Origin.SEED)
        oldest = next(transient, None)
        if oldest is not None:
            del self._hints[oldest]
