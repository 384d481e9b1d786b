"""The address book: who gets in, who keeps a place, who is drawn, what is told."""

from random import Random

from lc_node.chain.types import Digest, Millis
from lc_node.wire.address_book import COLLISIONS_MAX, AddressBook, Shelf
from lc_node.wire.book_table import new_place
from lc_node.wire.endpoints import Host, group_of
from lc_node.wire.known import Known
from lc_node.wire.records import LIFETIME
from tests.wire.book_people import (
    MINUTE,
    NOW,
    SECRET,
    TELLER,
    away,
    book_of,
    crowd,
    drawing,
    first,
    host,
    key,
    record,
    same_tried_place,
)

HOUR = 60 * MINUTE


def keys_of(book: AddressBook) -> set[bytes]:
    return {known.key for known in book}


def same_new_place() -> tuple[int, int]:
    """Return numbers of two nodes that contend for one place when told by the same."""
    by_place: dict[object, int] = {}
    for number in range(200_000):
        place = new_place(SECRET, key(number), group_of(host(number)), group_of(TELLER))
        if place in by_place:
            return by_place[place], number
        by_place[place] = number
    raise AssertionError


ONE, TWO = same_tried_place(2)
OLD, LATE = same_new_place()


def test_who_was_heard_of_is_new() -> None:
    book = book_of(1)

    assert len(book) == 1
    assert not book.is_tried(key(1))
    assert book.get(key(1)) is not None


def test_what_is_known_already_is_no_news() -> None:
    book = book_of(1)

    assert not book.add(record(1), TELLER, NOW)


def test_a_newer_record_takes_the_place_of_the_older() -> None:
    book = book_of(1)
    newer = record(1, sequence=NOW + 1)

    assert book.add(newer, TELLER, NOW)
    assert [known.signed for known in book] == [newer]


def test_who_only_dials_out_is_not_dialed() -> None:
    book = AddressBook(SECRET)

    assert not book.add(away(1), TELLER, NOW)
    assert len(book) == 0


def test_who_dials_out_only_from_now_on_is_forgotten() -> None:
    book = book_of(1)

    assert book.add(away(1, sequence=NOW + 1), TELLER, NOW)
    assert len(book) == 0


def test_a_host_that_the_teller_cannot_know_is_not_taken() -> None:
    book = AddressBook(SECRET)

    assert not book.add(record(1, "10.0.0.1"), TELLER, NOW)
    assert len(book) == 0


def test_a_private_host_that_we_know_stays_though_it_is_told_from_afar() -> None:
    book = AddressBook(SECRET)
    book.add(record(1, "10.0.0.1"), Host("10.0.0.9"), NOW)

    assert book.add(record(1, "10.0.0.2", sequence=NOW + 1), TELLER, NOW)
    assert [known.host for known in book] == ["10.0.0.1"]
    assert [known.endpoint.host for known in book] == ["10.0.0.2"]


def test_what_is_told_in_vain_changes_nothing_that_is_known() -> None:
    book = AddressBook(SECRET)
    book.add(record(1, "20.0.0.1"), TELLER, NOW)

    assert not book.add(record(1, "10.0.0.1", sequence=NOW + 1), TELLER, NOW)
    assert [known.signed.record.sequence for known in book] == [NOW]


def test_who_moves_to_another_network_is_new_again() -> None:
    book = book_of(1)
    book.good(key(1), host(1), NOW)
    book.add(record(1, host(2), sequence=NOW + 1), TELLER, NOW)

    assert not book.is_tried(key(1))
    assert [known.host for known in book] == [host(2)]


def test_who_was_reached_at_its_second_address_stays_tried_when_it_signs_anew() -> None:
    book = AddressBook(SECRET)
    book.add(record(1, "2001:db8::1", "20.1.1.1"), TELLER, NOW)
    book.good(key(1), Host("20.1.1.1"), NOW)
    book.add(record(1, "2001:db8::1", "20.1.1.1", sequence=NOW + 1), TELLER, NOW)

    assert book.is_tried(key(1))


def test_who_was_reached_by_its_name_stays_tried_when_it_signs_anew() -> None:
    book = AddressBook(SECRET)
    book.add(record(1, "node.example"), TELLER, NOW)
    book.good(key(1), Host("20.1.1.1"), NOW)
    book.add(record(1, "node.example", sequence=NOW + 1), TELLER, NOW)

    assert book.is_tried(key(1))


def test_who_was_reached_is_tried() -> None:
    book = book_of(1)
    book.attempt(key(1), NOW)
    book.good(key(1), host(1), NOW)
    known = book.get(key(1))

    assert book.is_tried(key(1))
    assert book.reached == 1
    assert known is not None
    assert (known.failures, known.succeeded) == (0, NOW)


def test_who_is_reached_again_stays_where_it_is() -> None:
    book = book_of(1)
    book.good(key(1), host(1), NOW)
    book.good(key(1), host(1), Millis(NOW + 1))

    assert [shelf.is_tried for shelf in book.shelves()] == [True]


def test_who_is_reached_elsewhere_is_counted_there() -> None:
    book = book_of(1)
    book.good(key(1), host(1), NOW)
    book.good(key(1), host(2), NOW)

    assert book.is_tried(key(1))
    assert [known.host for known in book] == [host(2)]


def test_who_is_reached_elsewhere_and_finds_no_place_is_forgotten() -> None:
    book = AddressBook(SECRET)
    book.add(record(OLD), TELLER, NOW)
    book.add(record(LATE, host(10_000)), TELLER, NOW)
    book.good(key(LATE), host(LATE), NOW)

    assert keys_of(book) == {key(OLD)}


def test_attempts_at_and_successes_of_strangers_are_nothing() -> None:
    book = AddressBook(SECRET)
    book.attempt(key(1), NOW)
    book.good(key(1), host(1), NOW)

    assert len(book) == 0


def test_who_was_heard_of_first_keeps_its_place() -> None:
    book = AddressBook(SECRET)
    book.add(record(OLD), TELLER, NOW)

    assert not book.add(record(LATE), TELLER, NOW)
    assert keys_of(book) == {key(OLD)}


def test_who_could_not_be_reached_makes_room() -> None:
    book = AddressBook(SECRET)
    book.add(record(OLD), TELLER, NOW)
    for _ in range(3):
        book.attempt(key(OLD), NOW)

    assert book.add(record(LATE), TELLER, Millis(NOW + 2 * MINUTE))
    assert keys_of(book) == {key(LATE)}


def test_who_is_favoured_needs_no_place() -> None:
    book = AddressBook(SECRET)
    book.favour({key(LATE)})
    book.add(record(OLD), TELLER, NOW)

    assert book.add(record(LATE), TELLER, NOW)
    assert keys_of(book) == {key(OLD), key(LATE)}
    book.favour(frozenset())
    assert keys_of(book) == {key(OLD)}


def test_who_is_favoured_loses_its_place_only() -> None:
    book = AddressBook(SECRET)
    book.favour({key(OLD)})
    book.add(record(OLD), TELLER, NOW)
    for _ in range(3):
        book.attempt(key(OLD), NOW)
    book.add(record(LATE), TELLER, Millis(NOW + 2 * MINUTE))

    assert keys_of(book) == {key(OLD), key(LATE)}


def test_who_is_favoured_is_tried_once_reached() -> None:
    book = AddressBook(SECRET)
    book.favour({key(LATE)})
    book.add(record(OLD), TELLER, NOW)
    book.add(record(LATE), TELLER, NOW)
    book.good(key(LATE), host(LATE), NOW)

    assert book.is_tried(key(LATE))


def contended() -> AddressBook:
    """Return a book in which one node has the place that another, reached as well, waits for."""
    book = book_of(ONE, TWO)
    book.good(key(ONE), host(ONE), NOW)
    book.good(key(TWO), host(TWO), Millis(NOW + 5 * HOUR))
    return book


def test_who_has_a_place_is_tested_before_another_gets_it() -> None:
    book = contended()
    doubtful = book.doubtful(Millis(NOW + 5 * HOUR))

    assert doubtful is not None
    assert doubtful.key == key(ONE)
    assert not book.is_tried(key(TWO))


def test_who_answers_keeps_its_place() -> None:
    book = contended()
    later = Millis(NOW + 5 * HOUR + MINUTE)
    book.good(key(ONE), host(ONE), later)

    assert book.doubtful(later) is None
    assert (book.is_tried(key(ONE)), book.is_tried(key(TWO))) == (True, False)


def test_who_is_being_tested_is_given_a_minute() -> None:
    book = contended()
    now = NOW + 5 * HOUR + 1
    book.attempt(key(ONE), Millis(now))

    assert book.doubtful(Millis(now + MINUTE - 1)) is None
    assert book.is_tried(key(ONE))


def test_who_does_not_answer_loses_its_place() -> None:
    book = contended()
    now = NOW + 5 * HOUR + 1
    book.attempt(key(ONE), Millis(now))

    assert book.doubtful(Millis(now + MINUTE)) is None
    assert (book.is_tried(key(ONE)), book.is_tried(key(TWO))) == (False, True)
    assert key(ONE) in keys_of(book)


def test_who_is_never_tested_loses_its_place_in_the_end() -> None:
    book = contended()

    assert book.doubtful(Millis(NOW + 5 * HOUR + 40 * MINUTE)) is None
    assert book.is_tried(key(TWO))


def test_a_place_that_is_free_by_now_is_taken() -> None:
    book = contended()
    book.forget(key(ONE))

    assert book.doubtful(Millis(NOW + 5 * HOUR)) is None
    assert book.is_tried(key(TWO))


def test_who_has_been_forgotten_waits_no_longer() -> None:
    book = contended()
    book.forget(key(TWO))

    assert book.doubtful(Millis(NOW + 5 * HOUR)) is None
    assert book.is_tried(key(ONE))


def test_a_bounded_number_waits() -> None:
    numbers = same_tried_place(4)
    book = book_of(*numbers)
    book.good(key(numbers[0]), host(numbers[0]), NOW)
    book._collisions.update({key(900_000 + n): NOW for n in range(COLLISIONS_MAX)})
    book.good(key(numbers[1]), host(numbers[1]), NOW)

    assert len(book._collisions) == COLLISIONS_MAX


def test_nobody_is_chosen_from_an_empty_table() -> None:
    book = book_of(1)

    assert book.choose(first, NOW, is_tried=True) is None


def test_who_is_reliable_is_chosen_more_often() -> None:
    book = book_of(1, 2)
    for _ in range(4):
        book.attempt(key(1), NOW)
    draw = Random(7).randrange  # noqa: S311  # a test that can be repeated
    later = Millis(NOW + HOUR)
    chosen = [book.choose(draw, later, is_tried=False) for _ in range(1_000)]
    share = sum(known is not None and known.key == key(1) for known in chosen)

    assert 100 < share < 400


def test_the_unreliable_are_chosen_if_there_are_no_others() -> None:
    book = book_of(1)
    for _ in range(9):
        book.attempt(key(1), NOW)
    never = drawing(*[999] * 1_000)
    known = book.choose(never, NOW, is_tried=False)

    assert known is not None


def test_a_sample_is_of_both_tables() -> None:
    book = crowd(40, reached=20)
    draw = Random(7).randrange  # noqa: S311  # a test that can be repeated
    sample = book.sample(draw, 10, NOW)
    tried = sum(book.is_tried(one.record.node_key) for one in sample)

    assert len(sample) == len({one.record.node_key for one in sample}) == 10
    assert 2 <= tried <= 8


def test_nothing_is_told_that_no_longer_counts() -> None:
    book = book_of(1)

    assert book.sample(first, 10, Millis(NOW + LIFETIME + 1)) == ()


def test_nobody_is_told_of_whom_we_do_not_reach() -> None:
    book = book_of(1)
    for _ in range(3):
        book.attempt(key(1), NOW)

    assert book.sample(first, 10, Millis(NOW + HOUR)) == ()


def test_an_empty_book_tells_nothing() -> None:
    assert AddressBook(SECRET).sample(first, 10, NOW) == ()


def test_a_book_is_the_same_after_a_restart() -> None:
    book = crowd(300, reached=100)
    again = AddressBook(SECRET, book.shelves())

    assert again.shelves() == book.shelves()


def test_what_contends_for_a_place_that_is_taken_is_left_out_after_a_restart() -> None:
    shelves = [*book_of(ONE).shelves(), *book_of(ONE).shelves()]
    tried = [Shelf(known=shelf.known, is_tried=True) for shelf in book_of(ONE, TWO).shelves()]

    assert len(AddressBook(SECRET, shelves)) == 1
    assert len(AddressBook(SECRET, tried)) == 1


def test_another_secret_gives_other_places() -> None:
    known: list[Known] = list(crowd(50, reached=0))
    one, other = AddressBook(SECRET), AddressBook(Digest(bytes(32)))
    for book in (one, other):
        for each in known:
            book.add(each.signed, TELLER, NOW)

    assert one._new._places != other._new._places
