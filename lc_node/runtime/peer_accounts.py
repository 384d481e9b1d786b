"""What we hold for and against each peer: its allowances, its score, how far its chain is."""

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import Final

from lc_node.chain.types import ByteCount, Height, Millis, PublicKey
from lc_node.wire.kinds import Kind
from lc_node.wire.rate import RateLimiter
from lc_node.wire.score import BAN, CLEAN, Offence, Score

ACCOUNTS_MAX: Final = 4_096
"""Peers of whom we remember anything, connected or not."""
BANS_MAX: Final = 4_096
"""Peers banned at a time for misbehaviour; keys are free, so the oldest ban ends when there are more."""
_SPARED: Final = 64
"""Of so many that were not heard of for longest, the one with the fewest points is forgotten."""


@dataclass(slots=True)
class _Account:
    limiter: RateLimiter
    score: Score = CLEAN
    height: Height | None = None
    heard: Millis | None = None


class PeerAccounts:
    """One account a peer, kept after it has left so that leaving clears no score."""

    def __init__(self) -> None:
        """Start with a clean slate."""
        self._accounts: dict[PublicKey, _Account] = {}
        self._banned_until: dict[PublicKey, Millis] = {}
        self.frames: Final[Counter[Kind]] = Counter()
        """Frames within the limits, by kind, of all peers."""
        self.bytes: Final[Counter[Kind]] = Counter()
        """What they took."""
        self.offences: Final[Counter[Offence]] = Counter()
        """Of all peers."""
        self.bans = 0
        """For misbehaviour."""

    def admits(self, peer: PublicKey, kind: Kind, size: int, now: Millis) -> bool:
        """Count a frame against the peer's allowances."""
        account = self._account(peer, now)
        account.heard = now
        if not account.limiter.admits(kind, ByteCount(size), now):
            return False
        self.frames[kind] += 1
        self.bytes[kind] += size
        return True

    def admits_more(self, peer: PublicKey, kind: Kind, messages: int, now: Millis) -> bool:
        """Count what shared a frame with a message that was admitted."""
        limiter = self._account(peer, now).limiter
        return limiter.admits(kind, ByteCount(0), now, messages=messages)

    def offend(self, peer: PublicKey, offence: Offence, now: Millis) -> bool:
        """Count an offence; return whether it is one too many, which bans the peer for a while."""
        account = self._account(peer, now)
        account.score = account.score.after(offence, now)
        self.offences[offence] += 1
        is_ban = account.score.is_ban(now)
        if is_ban:
            self.bans += 1
            self._banned_until.pop(peer, None)
            self._banned_until[peer] = Millis(now + BAN)  # last in the order: it ends last
        return is_ban

    def is_banned(self, peer: PublicKey) -> bool:
        """Return whether a peer is banned for misbehaviour and not pardoned yet."""
        return peer in self._banned_until

    def is_bad(self, peer: PublicKey, now: Millis) -> bool:
        """Return whether a peer has misbehaved too much to be relied upon."""
        account = self._accounts.get(peer)
        return account is not None and account.score.is_bad(now)

    def pardoned(self, now: Millis) -> tuple[PublicKey, ...]:
        """Return, once, the peers whose ban for misbehaviour has ended."""
        excess = tuple(self._banned_until)[: max(0, len(self._banned_until) - BANS_MAX)]
        # No ban is longer than BAN: one that seems so was begun before the clock was set back.
        ended = (p for p, until in self._banned_until.items() if not now < until <= now + BAN)
        over = tuple(sorted({*excess, *ended}))
        for peer in over:
            del self._banned_until[peer]
        return over

    def note_height(self, peer: PublicKey, height: Height, now: Millis) -> None:
        """Remember how far a peer says it is."""
        self._account(peer, now).height = height

    def height(self, peer: PublicKey) -> Height | None:
        """Return how far a peer said it was."""
        account = self._accounts.get(peer)
        return account.height if account else None

    def heard(self, peer: PublicKey) -> Millis | None:
        """Return when a peer last said anything."""
        account = self._accounts.get(peer)
        return account.heard if account else None

    def points(self, peer: PublicKey, now: Millis) -> int:
        """Return a peer's score."""
        account = self._accounts.get(peer)
        return account.score.points_at(now) if account else 0

    def _account(self, peer: PublicKey, now: Millis) -> _Account:
        account = self._accounts.pop(peer, None) or _Account(RateLimiter(now))
        self._accounts[peer] = account  # last in the order: heard of most recently
        if len(self._accounts) > ACCOUNTS_MAX:
            longest = islice(self._accounts, _SPARED)
            del self._accounts[min(longest, key=lambda one: self.points(one, now))]
        return account
