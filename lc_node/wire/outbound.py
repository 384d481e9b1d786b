"""Whom to dial next: validators, peers of as many networks as possible, now and then a stranger to get to know."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum
from typing import Final

from lc_node.chain.types import Millis, MillisSpan, PublicKey
from lc_node.wire.address_book import AddressBook
from lc_node.wire.endpoints import Group, Host, Reach, group_of, reach_of
from lc_node.wire.known import Draw, Known
from lc_node.wire.limits import DIALED_MAX

OUTBOUND_WANTED: Final = 8
"""Connections that we choose ourselves, beside those to validators."""
ALONE_BELOW: Final = 3
"""With fewer than these, a second peer of the same network is better than none."""
ANCHORS_MAX: Final = 4
"""Peers of the last run that are dialed before any other."""
FEELER_PAUSE: Final = MillisSpan(120 * 1_000)
"""Between two short connections by which we find out whether a node is what we have heard."""
ALARM_EXTRA: Final = 2
"""Connections beyond those wanted while nothing becomes final."""
SOUGHT_MAX: Final = 16
"""Nodes that are dialed because jobs need them, at a time."""
VALIDATORS_WANTED: Final = 3
"""Validators that a node is connected to which is none itself: it hears from them what has become final."""
_DRAWS_MAX: Final = 64


class Why(Enum):
    """What a peer is dialed for."""

    VALIDATOR = "validator"
    ANCHOR = "anchor"
    OUTBOUND = "outbound"
    FEELER = "feeler"
    WORK = "work"
    """A job needs it: it has a model or an image that we need, or needs what we have."""
    HINT = "hint"
    """It was named without a record; not counted among those that we choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """A node to be dialed, where its ``endpoint`` says."""

    known: Known
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What decides whom to dial, besides the book."""

    now: Millis
    me: PublicKey
    connected: Mapping[PublicKey, Host]
    """Who is up, whoever dialed, and where."""
    dialed: Mapping[PublicKey, Why | None]
    """Whom we dial, up or not; None for those that the owner has listed."""
    validators: AbstractSet[PublicKey]
    is_banned: Callable[[PublicKey], bool]
    """Whether the chain has banned a key."""
    is_alarmed: bool = False
    """Nothing has become final for long."""
    sought: AbstractSet[PublicKey] = frozenset()
    """Whom jobs need."""


class Outbound:
    """Decides whom to dial; has a memory of anchors and of the last feeler only."""

    def __init__(self, book: AddressBook, draw: Draw, anchors: Sequence[PublicKey] = ()) -> None:
        """Choose from ``book``; ``anchors`` are dialed first."""
        self._book = book
        self._draw = draw
        self._anchors = list(anchors[:ANCHORS_MAX])
        self._felt: Millis | None = None

    def next(self, at: Situation) -> tuple[Dial, ...]:
        """Return whom to dial now; who is returned is expected to be dialed."""
        dials = list(self._validators(at))
        dials.extend(self._sought(at, {one.known.key for one in dials}))
        chosen = [key for key, why in at.dialed.items() if why in {Why.ANCHOR, Why.OUTBOUND}]
        groups = {group_of(self._host(key, at)) for key in chosen}
        for count in range(len(chosen), OUTBOUND_WANTED + ALARM_EXTRA * at.is_alarmed):
            is_alone = count < ALONE_BELOW
            taken = {one.known.key for one in dials}
            dial = self._anchor(at, taken) or self._outbound(at, taken, groups, is_alone=is_alone)
            if dial is None:
                break
            dials.append(dial)
            groups.add(group_of(dial.known.host))
        dials.extend(self._feeler(at, {one.known.key for one in dials}))
        return tuple(dials[: max(0, DIALED_MAX - len(at.dialed))])

    def _validators(self, at: Situation) -> Sequence[Dial]:
        """All of them if we are one: votes go straight from each to each. Else a few."""
        keys = sorted(at.validators - {at.me})
        there = sum(key in at.connected or key in at.dialed for key in keys)
        wanted = len(keys) if at.me in at.validators else VALIDATORS_WANTED
        dials: list[Dial] = []
        for _ in range(min(len(keys), max(0, wanted - there))):
            able = [known for key in keys if (known := self._able(key, at)) is not None]
            able = [known for known in able if known.key not in {one.known.key for one in dials}]
            if not able:
                break
            dials.append(Dial(known=able[self._draw(len(able))], why=Why.VALIDATOR))
        return dials

    def _sought(self, at: Situation, taken: AbstractSet[PublicKey]) -> Sequence[Dial]:
        """Those whom jobs need, as far as they are known: they have what nobody else may have."""
        room = max(0, SOUGHT_MAX - sum(why is Why.WORK for why in at.dialed.values()))
        able = [self._able(key, at, in_need=True) for key in sorted(at.sought - taken)]
        return [Dial(known=one, why=Why.WORK) for one in able if one is not None][:room]

    def _anchor(self, at: Situation, taken: AbstractSet[PublicKey]) -> Dial | None:
        while self._anchors:
            known = self._able(self._anchors.pop(0), at)
            if known is not None and known.key not in taken:
                return Dial(known=known, why=Why.ANCHOR)
        return None

    def _outbound(
        self,
        at: Situation,
        taken: AbstractSet[PublicKey],
        groups: AbstractSet[Group],
        *,
        is_alone: bool,
    ) -> Dial | None:
        """Draw from both tables in turn by chance; of each network that one owner may have, one."""
        if len(self._book) < _DRAWS_MAX and not any(self._able(one.key, at) for one in self._book):
            return None
        second = None
        for _ in range(_DRAWS_MAX):
            known = self._drawn(at, taken, is_tried=self._draw(2) == 0)
            if known is None:
                continue
            if group_of(known.host) not in groups or reach_of(known.host) is not Reach.WORLD:
                return Dial(known=known, why=Why.OUTBOUND)
            second = known
        return Dial(known=second, why=Why.OUTBOUND) if second is not None and is_alone else None

    def _feeler(self, at: Situation, taken: AbstractSet[PublicKey]) -> Sequence[Dial]:
        """Now and then, dial who keeps a place that another waits for, or somebody that we have not reached."""
        # A feeler that is yet to come was sent before the clock was set back.
        is_due = self._felt is None or not self._felt <= at.now < self._felt + FEELER_PAUSE
        if not is_due or Why.FEELER in at.dialed.values():
            return ()
        self._felt = at.now
        doubtful = self._book.doubtful(at.now)
        able = None if doubtful is None else self._able(doubtful.key, at)
        able = able or self._drawn(at, taken, is_tried=False)
        if able is None or able.key in taken:
            return ()
        return (Dial(known=able, why=Why.FEELER),)

    def _drawn(
        self, at: Situation, taken: AbstractSet[PublicKey], *, is_tried: bool
    ) -> Known | None:
        known = self._book.choose(self._draw, at.now, is_tried=is_tried)
        able = None if known is None else self._able(known.key, at)
        return None if able is None or able.key in taken else able

    def _able(self, key: PublicKey, at: Situation, *, in_need: bool = False) -> Known | None:
        """Return what is known of a node that may be dialed, sooner again if we are in need."""
        known = self._book.get(key)
        if key == at.me or key in at.connected or key in at.dialed or at.is_banned(key):
            return None
        in_need = in_need or at.is_alarmed or not at.connected
        is_time = known is not None and known.may_be_dialed(at.now, in_need=in_need)
        return known if is_time else None

    def _host(self, key: PublicKey, at: Situation) -> Host:
        known = self._book.get(key)
        return at.connected.get(key) or (known.host if known else Host(""))
