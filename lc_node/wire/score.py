"""What a peer's misbehaviour costs it: points that decay, and a ban when they are too many."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from lc_node.chain.types import Millis, MillisSpan

BAN_POINTS: Final = 1_000
"""At this score a peer is hung up on."""
SHUN_POINTS: Final = 200
"""At this score a peer is not relied upon: nothing is pushed or announced to it, nor asked of it."""
DECAY_PER_SECOND: Final = 5
"""Points forgiven; three minutes and twenty seconds clear the worst score."""
BAN: Final = MillisSpan(10 * 60 * 1_000)
"""How long a peer that misbehaved is not spoken to."""


class Verdict(Enum):
    """What becomes of gossip (after gossipsub's extended validators)."""

    ACCEPT = auto()
    """Keep it and pass it on."""
    IGNORE = auto()
    """Not wanted now, and nobody's fault: known already, too early, no room."""
    REJECT = auto()
    """No honest peer would have sent it."""


class Offence(Enum):
    """What a peer did that an honest one would not, or not often."""

    MALFORMED = auto()
    """A frame that does not decode, or is too long for its kind."""
    WRONG_CHANNEL = auto()
    GREETED_AGAIN = auto()
    REJECTED = auto()
    """Gossip that breaks a rule whoever looks at it."""
    OVER_LIMIT = auto()
    """More frames or bytes of a kind than the table allows: one dropped frame."""
    UNSOLICITED = auto()
    """An answer to nothing that we asked."""
    BAD_CHUNK = auto()
    """Bytes that are not the chunk they are said to be."""
    FALSE_CHUNK_LIST = auto()
    """Chunk digests that do not make up the blob."""
    BROKEN_PROMISE = auto()
    """It announced a transaction and did not send it when asked."""
    REPEATED = auto()
    """Gossip that the same peer has sent before, or goes on pushing though asked not to."""
    USELESS = auto()
    """An announcement of nothing but what the same peer has told us before."""
    FALSE_ANSWER = auto()
    """Blocks, a state or an epoch's end that are not what was asked for, or that nobody has signed."""


POINTS: Final[Mapping[Offence, int]] = MappingProxyType(
    {
        Offence.MALFORMED: 500,
        Offence.WRONG_CHANNEL: 500,
        Offence.GREETED_AGAIN: 100,
        Offence.REJECTED: 200,
        Offence.OVER_LIMIT: 2,
        Offence.UNSOLICITED: 50,
        Offence.BAD_CHUNK: BAN_POINTS,
        Offence.FALSE_CHUNK_LIST: BAN_POINTS,
        Offence.BROKEN_PROMISE: 50,
        Offence.REPEATED: 5,
        Offence.USELESS: 5,
        Offence.FALSE_ANSWER: BAN_POINTS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A peer's points at a moment."""

    points: int
    at: Millis

    def points_at(self, now: Millis) -> int:
        """Return what is left of the points, whole seconds of decay taken off."""
        if not self.points:
            return 0  # as of most peers, for every frame and transaction
        elapsed = max(0, now - self.at)
        return max(0, self.points - elapsed * DECAY_PER_SECOND // 1_000)

    def after(self, offence: Offence, now: Millis) -> "Score":
        """Return the score with an offence added."""
        points = self.points_at(now) + POINTS[offence]
        return Score(points=points, at=now)

    def is_bad(self, now: Millis) -> bool:
        """Return whether the peer is not to be relied upon."""
        return self.points_at(now) >= SHUN_POINTS

    def is_ban(self, now: Millis) -> bool:
        """Return whether the peer is to be hung up on."""
        return self.points_at(now) >= BAN_POINTS


CLEAN: Final = Score(points=0, at=Millis(0))
"""The score of a peer that we know nothing bad of."""
