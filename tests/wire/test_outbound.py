"""Whom to dial next: validators, anchors, many networks, now and then a stranger."""

from collections.abc import Iterable, Mapping
from random import Random

import pytest

from lc_node.chain.types import Millis, PublicKey
from lc_node.wire.address_book import AddressBook
from lc_node.wire.endpoints import Host, group_of
from lc_node.wire.limits import DIALED_MAX
from lc_node.wire.outbound import (
    ALARM_EXTRA,
    ALONE_BELOW,
    ANCHORS_MAX,
    FEELER_PAUSE,
    OUTBOUND_WANTED,
    SOUGHT_MAX,
    VALIDATORS_WANTED,
    Dial,
    Outbound,
    Situation,
    Why,
)
from tests.wire.book_people import NOW, SECRET, TELLER, book_of, crowd, host, key, record

ME = key(1_000_000)
NOBODY: Mapping[PublicKey, Host] = {}


def outbound(book: AddressBook, anchors: Iterable[int] = ()) -> Outbound:
    draw = Random(5).randrange  # noqa: S311  # a test that can be repeated
    return Outbound(book, draw, tuple(key(number) for number in anchors))


def at(  # noqa: PLR0913  # one argument a circumstance
    *,
    now: int = NOW,
    connected: Mapping[PublicKey, Host] = NOBODY,
    dialed: Mapping[PublicKey, Why | None] | None = None,
    validators: Iterable[PublicKey] = (),
    banned: Iterable[PublicKey] = (),
    is_alarmed: bool = False,
    sought: Iterable[PublicKey] = (),
) -> Situation:
    return Situation(
        now=Millis(now),
        me=ME,
        connected=connected,
        dialed=dialed or {},
        validators=frozenset(validators),
        is_banned=frozenset(banned).__contains__,
        is_alarmed=is_alarmed,
        sought=frozenset(sought),
    )


def of(why: Why, dials: Iterable[Dial]) -> list[PublicKey]:
    return [dial.known.key for dial in dials if dial.why is why]


def near(count: int, hosts: str) -> AddressBook:
    """Return a book of nodes in one network."""
    book = AddressBook(SECRET)
    for number in range(count):
        book.add(record(number, hosts.format(number + 1)), Host(hosts.format(250)), NOW)
    return book


def test_as_many_are_dialed_as_are_wanted_each_in_another_network() -> None:
    book = crowd(200, reached=50)
    dials = outbound(book).next(at())
    chosen = of(Why.OUTBOUND, dials)
    groups = {group_of(dial.known.host) for dial in dials if dial.why is Why.OUTBOUND}

    assert len(set(chosen)) == len(groups) == OUTBOUND_WANTED
    assert {book.is_tried(one) for one in chosen} == {True, False}


def test_those_that_are_dialed_already_are_counted() -> None:
    dialed = {key(n): Why.OUTBOUND for n in range(OUTBOUND_WANTED - 1)}

    assert len(of(Why.OUTBOUND, outbound(crowd(200, reached=50)).next(at(dialed=dialed)))) == 1


def test_those_that_the_owner_has_listed_come_on_top() -> None:
    dialed = {key(n): None for n in range(OUTBOUND_WANTED)}
    dials = outbound(crowd(200, reached=50)).next(at(dialed=dialed))

    assert len(of(Why.OUTBOUND, dials)) == OUTBOUND_WANTED


def test_the_network_of_a_peer_that_we_dialed_is_taken() -> None:
    book = near(4, "20.1.1.{}")
    here: dict[PublicKey, Host] = {key(n): Host(f"20.1.9.{n + 1}") for n in range(ALONE_BELOW)}
    for number in range(ALONE_BELOW):
        book.forget(key(number))
    dialed = dict.fromkeys(here, Why.OUTBOUND)
    dials = outbound(book).next(at(connected=here, dialed=dialed))

    assert of(Why.OUTBOUND, dials) == []


def test_who_has_hardly_anybody_takes_a_second_peer_of_a_network() -> None:
    dials = outbound(near(20, "20.1.1.{}")).next(at())

    assert len(of(Why.OUTBOUND, dials)) == ALONE_BELOW


def test_in_private_networks_neighbours_are_as_good_as_others() -> None:
    dials = outbound(near(20, "10.0.0.{}")).next(at())

    assert len(of(Why.OUTBOUND, dials)) == OUTBOUND_WANTED


def test_nobody_is_dialed_who_is_connected_banned_or_oneself() -> None:
    book = book_of(1, 2, 3)
    own = record(1_000_000, host(4))
    book.add(own, TELLER, NOW)
    situation = at(connected={key(1): host(1)}, banned=[key(2)], dialed={key(3): None})

    assert outbound(book).next(situation) == ()


def test_nobody_is_dialed_again_before_its_time() -> None:
    book = book_of(1)
    book.attempt(key(1), NOW)
    there = {key(9): host(9)}

    assert outbound(book).next(at(connected=there, now=NOW + 4_999)) == ()
    assert len(outbound(book).next(at(connected=there, now=NOW + 5_000))) == 1


def test_who_is_connected_to_nobody_tries_again_sooner() -> None:
    book = book_of(1)
    for _ in range(9):
        book.attempt(key(1), NOW)

    assert outbound(book).next(at(connected={key(9): host(9)}, now=NOW + 10_000)) == ()
    assert len(outbound(book).next(at(now=NOW + 10_000))) == 1


def test_while_nothing_becomes_final_some_more_are_dialed_and_sooner() -> None:
    book = crowd(200, reached=0)
    dialed = {key(n): Why.OUTBOUND for n in range(OUTBOUND_WANTED)}
    dials = outbound(book).next(at(dialed=dialed, is_alarmed=True))

    assert len(of(Why.OUTBOUND, dials)) == ALARM_EXTRA


def test_anchors_come_before_all_others() -> None:
    dials = outbound(crowd(200, reached=50), anchors=[3, 7, 78]).next(at(banned=[key(78)]))

    assert of(Why.ANCHOR, dials) == [key(3), key(7)]
    assert len(of(Why.OUTBOUND, dials)) == OUTBOUND_WANTED - 2


def test_anchors_are_tried_once_and_are_few() -> None:
    one = outbound(crowd(200, reached=50), anchors=range(10))

    assert len(of(Why.ANCHOR, one.next(at()))) == ANCHORS_MAX
    assert of(Why.ANCHOR, one.next(at())) == []


def test_an_anchor_that_is_dialed_as_a_validator_is_not_dialed_twice() -> None:
    dials = outbound(book_of(1), anchors=[1]).next(at(validators=[ME, key(1)]))

    assert [dial.why for dial in dials] == [Why.VALIDATOR]


def test_a_validator_dials_all_validators_that_it_knows_of() -> None:
    book = crowd(200, reached=50)
    validators = [ME, *(key(n) for n in range(40)), key(999)]
    known = {one for one in validators if book.get(one) is not None}
    dials = outbound(book).next(at(validators=validators))

    assert set(of(Why.VALIDATOR, dials)) == known
    assert len(of(Why.OUTBOUND, dials)) == OUTBOUND_WANTED


def test_who_is_no_validator_is_content_with_a_few_of_them() -> None:
    validators = [key(n) for n in range(40)]
    one = outbound(crowd(200, reached=50))
    there = {key(3): host(3)}

    dials = one.next(at(validators=validators, connected=there))
    assert len(of(Why.VALIDATOR, dials)) == VALIDATORS_WANTED - 1


def test_a_feeler_goes_out_to_somebody_new_every_two_minutes() -> None:
    book = crowd(200, reached=50)
    one = outbound(book)
    feelers = [of(Why.FEELER, one.next(at(now=NOW + 30_000 * n))) for n in range(5)]

    assert [len(found) for found in feelers] == [1, 0, 0, 0, 1]
    assert not any(book.is_tried(key) for found in feelers for key in found)


def test_a_clock_that_was_set_back_holds_up_no_feeler() -> None:
    one = outbound(crowd(200, reached=50))
    one.next(at())

    assert len(of(Why.FEELER, one.next(at(now=NOW - 1)))) == 1


def test_there_is_one_feeler_at_a_time() -> None:
    one = outbound(crowd(200, reached=50))
    one.next(at())
    dials = one.next(at(now=NOW + FEELER_PAUSE, dialed={key(1): Why.FEELER}))

    assert of(Why.FEELER, dials) == []


def test_a_feeler_goes_first_to_who_keeps_a_place_that_another_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = crowd(200, reached=50)
    doubtful = book.get(key(7))
    assert doubtful is not None
    monkeypatch.setattr(book, "doubtful", lambda _now: doubtful)  # its own tests say when
    full = {key(500 + n): Why.OUTBOUND for n in range(OUTBOUND_WANTED)}

    assert of(Why.FEELER, outbound(book).next(at(dialed=full))) == [key(7)]


def test_no_feeler_goes_where_another_call_goes_already() -> None:
    dials = outbound(book_of(1)).next(at())

    assert [dial.why for dial in dials] == [Why.OUTBOUND]


def test_no_feeler_tests_whom_another_call_reaches_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = book_of(1)
    doubtful = book.get(key(1))
    monkeypatch.setattr(book, "doubtful", lambda _now: doubtful)  # its own tests say when

    assert [dial.why for dial in outbound(book).next(at())] == [Why.OUTBOUND]


def test_no_more_are_dialed_than_may_be() -> None:
    dialed = {key(1_000 + n): None for n in range(DIALED_MAX - 1)}

    assert len(outbound(crowd(200, reached=50)).next(at(dialed=dialed))) == 1


def test_whom_a_job_needs_is_dialed_beside_those_that_are_wanted() -> None:
    dials = outbound(crowd(200, reached=50)).next(at(sought=[key(7), key(8)]))

    assert of(Why.WORK, dials) == sorted([key(7), key(8)])
    assert len(of(Why.OUTBOUND, dials)) == OUTBOUND_WANTED


def test_whom_a_job_needs_is_not_dialed_where_it_is_connected_or_unknown() -> None:
    sought = [key(7), key(10_000)]
    dials = outbound(crowd(200, reached=50)).next(at(sought=sought, connected={key(7): host(7)}))

    assert of(Why.WORK, dials) == []


def test_no_more_are_dialed_for_jobs_than_there_is_room_for() -> None:
    dialed = dict.fromkeys((key(n) for n in range(SOUGHT_MAX - 1)), Why.WORK)
    sought = [key(n) for n in range(SOUGHT_MAX + 5)]

    assert (
        len(of(Why.WORK, outbound(crowd(200, reached=50)).next(at(sought=sought, dialed=dialed))))
        == 1
    )
