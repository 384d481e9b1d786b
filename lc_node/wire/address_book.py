"""The nodes that we could dial: those we have reached, and those we have only heard of.

After Bitcoin's addrman; what differs is said in docs/adr. A node's record is kept once, whoever repeats it.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from lc_node.chain.types import Digest, Millis, MillisSpan, PublicKey
from lc_node.wire.book_table import Place, Table, new_place, tried_place
from lc_node.wire.endpoints import Endpoint, Host, group_of, is_told_in_earnest
from lc_node.wire.known import PERMILLE, Draw, Known
from lc_node.wire.records import LIFETIME, SignedRecord

COLLISIONS_MAX: Final = 10
"""Nodes that wait for the place of another in the table of those that were reached."""
_TESTED: Final = MillisSpan(4 * 3_600 * 1_000)
"""Who was reached so recently keeps its place."""
_TESTING: Final = MillisSpan(60 * 1_000)
"""How long an attempt may take."""
_UNTESTED_MAX: Final = MillisSpan(40 * 60 * 1_000)
"""If nobody has dialed who keeps the place for so long, it loses it."""
_DRAWS_MAX: Final = 64
_LENIENCE: Final = (6, 5)
"""After each draw that does not stand, the next one stands 1.2 times as easily."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One node of the book and the table that it is in, as they are kept over a restart."""

    known: Known
    is_tried: bool


class AddressBook:
    """Two tables over one set of nodes, each in one of them, or in none as long as it is favoured."""

    def __init__(self, secret: Digest, shelves: Iterable[Shelf] = ()) -> None:
        """Take up what was kept; ``secret`` must be nobody else's, and the same for the same shelves."""
        self.secret: Final = secret
        self._known: dict[PublicKey, Known] = {}
        self._new: Final = Table()
        self._tried: Final = Table()
        self._favoured: AbstractSet[PublicKey] = frozenset()
        self._collisions: dict[PublicKey, Millis] = {}
        for shelf in shelves:
            table = self._tried if shelf.is_tried else self._new
            place = self._place(shelf.known, is_tried=shelf.is_tried)
            if shelf.known.key not in self._known and table.at(place) is None:
                self._known[shelf.known.key] = shelf.known
                table.put(shelf.known.key, place)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Known]:
        return iter(self._known.values())

    @property
    def reached(self) -> int:
        """How many nodes are in the table of those that were reached."""
        return len(self._tried)

    def get(self, key: PublicKey) -> Known | None:
        """Return what is known of a node."""
        return self._known.get(key)

    def is_tried(self, key: PublicKey) -> bool:
        """Return whether a node was reached."""
        return key in self._tried

    def shelves(self) -> tuple[Shelf, ...]:
        """Return what to keep over a restart."""
        return tuple(
            Shelf(known=self._known[key], is_tried=table is self._tried)
            for table in (self._tried, self._new)
            for key in table
        )

    def favour(self, keys: AbstractSet[PublicKey]) -> None:
        """Keep the records of these, instead of those named before, though their places be taken."""
        self._favoured = keys
        for key in [key for key in self._known if not self._is_held(key)]:
            self.forget(key)

    def add(self, signed: SignedRecord, teller: Host, now: Millis) -> bool:
        """Take a record, whose signature was checked, from who is at ``teller``; return whether it is news."""
        record = signed.record
        known = self._known.get(record.node_key)
        if known is not None and known.signed.record.sequence >= record.sequence:
            return False
        tellers = (teller,) if known is None else (teller, known.host)
        usable = tuple(
            one
            for one in record.endpoints
            if any(is_told_in_earnest(one.host, place) for place in tellers)
        )
        if record.endpoints and not usable:
            return False
        if known is not None and usable and _is_where_it_was(known, usable):
            self._known[known.key] = replace(known, signed=signed, endpoints=usable)
            return True
        if known is not None:
            # It has moved, or is not to be dialed any more: what we knew of its place is void.
            self.forget(known.key)
        if not usable:
            return known is not None
        host, source = usable[0].host, group_of(teller)
        fresh = Known(signed=signed, endpoints=usable, host=host, source=source)
        return self._shelve_new(fresh, now)

    def forget(self, key: PublicKey) -> None:
        """Drop a node."""
        for table in (self._new, self._tried):
            if key in table:
                table.remove(key)
        self._known.pop(key, None)
        self._collisions.pop(key, None)

    def attempt(self, key: PublicKey, now: Millis) -> None:
        """Count that a node is being dialed."""
        known = self._known.get(key)
        if known is not None:
            self._known[key] = known.after_attempt(now)

    def good(self, key: PublicKey, host: Host, now: Millis) -> None:
        """Note that a node that we dialed has answered, at this host, with its own key."""
        known = self._known.get(key)
        if known is None:
            return
        reached = known.after_success(host, now)
        if group_of(host) != group_of(known.host):
            # Its places are those of its group.
            self.forget(key)
            if not self._shelve_new(reached, now):
                return
        self._known[key] = reached
        if key not in self._tried:
            self._shelve_tried(reached, now)

    def choose(self, draw: Draw, now: Millis, *, is_tried: bool) -> Known | None:
        """Return a node to dial, of those that were reached or of the others; the reliable more often."""
        table = self._tried if is_tried else self._new
        if not len(table):
            return None
        lenience, known = PERMILLE, self._known[table.draw(draw)]
        for _ in range(_DRAWS_MAX):
            if draw(PERMILLE) * PERMILLE < known.chance_permille(now) * lenience:
                break
            lenience = lenience * _LENIENCE[0] // _LENIENCE[1]
            known = self._known[table.draw(draw)]
        return known

    def sample(self, draw: Draw, count: int, now: Millis) -> tuple[SignedRecord, ...]:
        """Return up to so many records for a peer: of either table, none that it would not believe."""
        found: dict[PublicKey, SignedRecord] = {}
        tables = [table for table in (self._tried, self._new) if len(table)]
        for number in range(4 * count if tables else 0):
            known = self._known[tables[number % len(tables)].draw(draw)]
            is_fresh = known.signed.record.sequence + LIFETIME >= now
            if is_fresh and not known.is_terrible(now):
                found[known.key] = known.signed
            if len(found) == count:
                break
        return tuple(found.values())

    def doubtful(self, now: Millis) -> Known | None:
        """Return a node to be dialed because another waits for its place, None if nobody does.

        Test before evict: who does not answer loses its place, who answers keeps it.
        """
        for waiting, since in tuple(self._collisions.items()):
            if waiting not in self._collisions:
                continue  # forgotten for who lost its place a moment ago
            holder = self._holder(waiting)
            if holder is None or self._is_settled(waiting, holder, since, now):
                continue
            if holder.attempted < since:
                return holder
        return None

    def _is_settled(self, waiting: PublicKey, holder: Known, since: Millis, now: Millis) -> bool:
        """Decide who has a place in the end, if that can be decided by now."""
        if holder.succeeded + _TESTED > now:
            del self._collisions[waiting]
            return True
        is_silent = holder.attempted >= since and holder.attempted + _TESTING <= now
        if is_silent or since + _UNTESTED_MAX <= now:
            self.forget(holder.key)
            self._shelve_tried(self._known[waiting], now)
            self._shelve_new(holder, now)
            return True
        return False

    def _holder(self, waiting: PublicKey) -> Known | None:
        """Return who has the place that a node waits for; one that is free by now is taken."""
        known = self._known[waiting]
        holder = self._tried.at(self._place(known, is_tried=True))
        if holder is None:
            self._shelve_tried(known, known.succeeded)
            return None
        return self._known[holder]

    def _shelve_new(self, known: Known, now: Millis) -> bool:
        """Put a node that is in no table among the new ones, unless a better one has its place."""
        place = self._place(known, is_tried=False)
        holder = self._new.at(place)
        if holder is not None and self._known[holder].is_terrible(now):
            self._drop_new(holder)
            holder = None
        if holder is None:
            self._new.put(known.key, place)
        elif known.key not in self._favoured:
            return False
        self._known[known.key] = known
        return True

    def _drop_new(self, key: PublicKey) -> None:
        self._new.remove(key)
        if key not in self._favoured:
            self.forget(key)

    def _shelve_tried(self, known: Known, now: Millis) -> None:
        """Put a node that was reached among those that were, or let it wait for its place."""
        place = self._place(known, is_tried=True)
        holder = self._tried.at(place)
        if holder is not None:
            if len(self._collisions) < COLLISIONS_MAX:
                self._collisions.setdefault(known.key, now)
            return
        self._collisions.pop(known.key, None)
        if known.key in self._new:
            self._new.remove(known.key)
        self._tried.put(known.key, place)

    def _place(self, known: Known, *, is_tried: bool) -> Place:
        group = group_of(known.host)
        if is_tried:
            return tried_place(self.secret, known.key, group)
        return new_place(self.secret, known.key, group, known.source)

    def _is_held(self, key: PublicKey) -> bool:
        return key in self._favoured or key in self._new or key in self._tried


def _is_where_it_was(known: Known, endpoints: tuple[Endpoint, ...]) -> bool:
    """Return whether a node is still where it was reached: at any of its endpoints, or by the same names."""
    groups = {group_of(one.host) for one in endpoints}
    return group_of(known.host) in groups or endpoints == known.endpoints
