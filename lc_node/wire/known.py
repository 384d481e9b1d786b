"""What an address book holds of one node: its record, where we heard of it, how dialing it went."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from lc_node.chain.types import Millis, MillisSpan, PublicKey
from lc_node.wire.endpoints import Endpoint, Group, Host
from lc_node.wire.records import LIFETIME, SignedRecord

Draw: TypeAlias = Callable[[int], int]
"""Returns a random number below its argument; whoever calls us has the randomness."""

NEVER: Final = Millis(0)
"""The time of what has not happened yet."""
PERMILLE: Final = 1_000
_RECENT: Final = MillisSpan(10 * 60 * 1_000)
_RECENT_SHARE: Final = 100
"""Of what was dialed in the last ten minutes only each hundredth draw stands."""
_SHARE_KEPT: Final = (660, 1_000)
_SHARES_MAX: Final = 8
"""Each failure in a row, up to eight, leaves 66 % of the chance to be drawn."""
_JUST_NOW: Final = MillisSpan(60 * 1_000)
_NEW_FAILURES_MAX: Final = 3
_FAILURES_MAX: Final = 10
_LONG_AGO: Final = MillisSpan(7 * 24 * 3_600 * 1_000)
_RETRY_FIRST: Final = MillisSpan(5 * 1_000)
_RETRY_LAST: Final = MillisSpan(15 * 60 * 1_000)
_RETRY_IN_NEED: Final = MillisSpan(10 * 1_000)
_DOUBLINGS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One node of the book. All of it is bounded: by the record's own limits."""

    signed: SignedRecord
    endpoints: tuple[Endpoint, ...]
    """Those of the record that are of use to us; never empty."""
    host: Host
    """By what it is grouped: where it says it is, or, once reached, where it was reached."""
    source: Group
    """Where who told us of it is."""
    failures: int = 0
    """Attempts since the last one that succeeded."""
    attempted: Millis = NEVER
    succeeded: Millis = NEVER

    @property
    def key(self) -> PublicKey:
        """The node's identity."""
        return self.signed.record.node_key

    @property
    def endpoint(self) -> Endpoint:
        """Where to dial it next: after each failure at another of its endpoints."""
        return self.endpoints[self.failures % len(self.endpoints)]

    def may_be_dialed(self, now: Millis, *, in_need: bool) -> bool:
        """Return whether to dial it again: after twice as long with each failure, sooner if we are in need."""
        if not self.failures:
            return True
        longest = _RETRY_IN_NEED if in_need else _RETRY_LAST
        pause = min(_RETRY_FIRST << min(self.failures - 1, _DOUBLINGS_MAX), longest)
        # An attempt that is yet to come was made before the clock was set back.
        return not self.attempted <= now < self.attempted + pause

    def after_attempt(self, now: Millis) -> "Known":
        """Return it with an attempt counted, which has failed until it is known to have succeeded."""
        return replace(self, failures=self.failures + 1, attempted=now)

    def after_success(self, host: Host, now: Millis) -> "Known":
        """Return it as reached at a host."""
        return replace(self, host=host, failures=0, attempted=now, succeeded=now)

    def is_terrible(self, now: Millis) -> bool:
        """Return whether another may have its place (Bitcoin's ``AddrInfo::IsTerrible``)."""
        if self.attempted + _JUST_NOW > now:
            return False
        if self.signed.record.sequence + LIFETIME < now:
            return True
        if not self.succeeded:
            return self.failures >= _NEW_FAILURES_MAX
        return self.succeeded + _LONG_AGO < now and self.failures >= _FAILURES_MAX

    def chance_permille(self, now: Millis) -> int:
        """Return how often a draw of this one stands (Bitcoin's ``AddrInfo::GetChance``)."""
        kept, of = _SHARE_KEPT
        exponent = min(self.failures, _SHARES_MAX)
        chance: int = PERMILLE * kept**exponent // of**exponent
        return chance // _RECENT_SHARE if self.attempted + _RECENT > now else chance
