"""What an address book thinks of one node: when to dial it, how often it is drawn, when it may go."""

from lc_node.chain.types import Millis
from lc_node.wire.endpoints import Group
from lc_node.wire.known import Known
from lc_node.wire.records import LIFETIME
from tests.wire.book_people import MINUTE, NOW, host, record

DAY = 24 * 60 * MINUTE


def known(*hosts: str) -> Known:
    one = record(1, *hosts)
    endpoints = one.record.endpoints
    return Known(signed=one, endpoints=endpoints, host=host(1), source=Group(b"told"))


def failed(times: int, at: int = NOW, base: Known | None = None) -> Known:
    one = base or known()
    for _ in range(times):
        one = one.after_attempt(Millis(at))
    return one


def test_after_a_failure_it_is_dialed_at_its_next_endpoint() -> None:
    one = known("20.1.1.1", "2001:db8::1")
    hosts = [failed(times, base=one).endpoint.host for times in range(3)]

    assert hosts == ["20.1.1.1", "2001:db8::1", "20.1.1.1"]


def test_who_has_not_failed_may_be_dialed_at_once() -> None:
    assert known().may_be_dialed(NOW, in_need=False)


def test_each_failure_doubles_the_pause() -> None:
    pauses = [
        next(
            pause
            for pause in range(0, 3_600, 5)
            if failed(times).may_be_dialed(Millis(NOW + 1_000 * pause), in_need=False)
        )
        for times in (1, 2, 3, 8, 9, 50)
    ]

    assert pauses == [5, 10, 20, 640, 900, 900]


def test_in_need_nobody_waits_longer_than_ten_seconds() -> None:
    assert failed(50).may_be_dialed(Millis(NOW + 10_000), in_need=True)
    assert not failed(50).may_be_dialed(Millis(NOW + 9_999), in_need=True)


def test_a_clock_that_was_set_back_keeps_nobody_from_being_dialed() -> None:
    assert failed(50).may_be_dialed(Millis(NOW - 1), in_need=False)


def test_failures_make_it_be_drawn_less_often() -> None:
    later = Millis(NOW + 11 * MINUTE)
    chances = [failed(times).chance_permille(later) for times in (0, 1, 2, 8, 9)]

    assert chances == [1000, 660, 435, 36, 36]


def test_what_was_just_dialed_is_hardly_drawn() -> None:
    assert failed(1).chance_permille(Millis(NOW + 9 * MINUTE)) == 6


def test_who_was_never_reached_may_go_after_three_failures() -> None:
    later = Millis(NOW + 2 * MINUTE)

    assert not failed(2).is_terrible(later)
    assert failed(3).is_terrible(later)


def test_nobody_goes_while_being_dialed() -> None:
    assert not failed(3).is_terrible(Millis(NOW + MINUTE - 1))


def test_whose_record_is_too_old_may_go() -> None:
    reached = known().after_success(host(1), NOW)

    assert not reached.is_terrible(Millis(NOW + LIFETIME))
    assert reached.is_terrible(Millis(NOW + LIFETIME + 1))


def test_who_was_reached_may_go_after_ten_failures_and_a_week() -> None:
    reached = known().after_success(host(1), NOW)
    week = NOW + 7 * DAY

    assert failed(10, at=week, base=reached).is_terrible(Millis(week + MINUTE + 1))
    assert not failed(9, at=week, base=reached).is_terrible(Millis(week + MINUTE + 1))
    assert not failed(10, at=week - DAY, base=reached).is_terrible(Millis(week - 1))


def test_a_success_clears_the_failures() -> None:
    assert failed(5).after_success(host(2), NOW) == known().after_success(host(2), NOW)
