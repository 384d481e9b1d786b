"""The address book: who waits for a place among those that were reached, and is forgotten meanwhile."""

from dataclasses import replace

from lc_node.chain.types import Millis
from lc_node.wire.address_book import AddressBook
from lc_node.wire.book_table import new_place
from lc_node.wire.endpoints import group_of
from lc_node.wire.records import LIFETIME
from tests.wire.book_people import (
    MINUTE,
    NOW,
    SECRET,
    TELLER,
    book_of,
    host,
    key,
    record,
    same_tried_place,
)

HOUR = 60 * MINUTE
ONE, TWO = same_tried_place(2)


def test_who_is_favoured_no_more_and_has_no_place_waits_no_longer() -> None:
    book = AddressBook(SECRET)
    book.add(record(ONE), host(5_000), NOW)
    book.good(key(ONE), host(ONE), NOW)
    book.favour({key(TWO)})
    book.add(record(TWO), TELLER, NOW)
    book.good(key(TWO), host(TWO), NOW)
    # Its place among the new ones goes to another, as it does when it was not reached for long.
    book._new.remove(key(TWO))
    book.favour(frozenset())

    assert book.doubtful(Millis(NOW + 5 * HOUR)) is None
    assert book.get(key(TWO)) is None


def test_who_gives_way_to_who_has_lost_a_place_waits_no_longer() -> None:
    """The holder of one place goes back to the new ones, to the place of another that waits, whose record is old."""
    waiting, later = (ONE, TWO), NOW + 5 * HOUR
    book = book_of(*waiting)
    for number in waiting:
        book.good(key(number), host(number), NOW)
    holder = book.get(key(waiting[0]))
    assert holder is not None
    place = new_place(SECRET, holder.key, group_of(holder.host), holder.source)
    # The other's place is said to be that one: a collision of both tables at once takes long to find.
    other = key(900_000)
    old = replace(holder, signed=record(900_000, sequence=later - LIFETIME - 1))
    book._known[other] = old
    book._new.put(other, place)
    book._collisions[other] = NOW
    now = Millis(later)
    book.attempt(holder.key, NOW)

    assert book.doubtful(now) is None
    assert book.get(other) is None
