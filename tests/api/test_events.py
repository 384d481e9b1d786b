"""The event log and its followers: whatever is lost is noticed."""

from hypothesis import given
from hypothesis import strategies as st

from lc_node.api.calls import EventsSince
from lc_node.api.codec import Pulse
from lc_node.api.event_log import EventLog
from lc_node.api.following import Follower
from lc_node.api.schema import GAP, Event, Millis, Place, Sequence
from tests.api.sample_service import JOB, OTHER_JOB, event

NOW = Millis(5)


def place(sequence: int, life: str = "life") -> Place:
    return Place(life=life, sequence=Sequence(sequence))


def log_of(count: int, *, kept_max: int = 100) -> EventLog:
    log = EventLog("life", kept_max=kept_max)
    for number in range(count):
        log.add(event(str(number + 1)))
    return log


def codes(events: tuple[Event, ...]) -> list[str]:
    return [one.code for one in events]


def test_events_are_numbered_from_one() -> None:
    log = EventLog("life")

    assert [log.add(event("a")).sequence, log.add(event("b")).sequence] == [1, 2]


def test_what_came_after_a_place_is_returned() -> None:
    batch = log_of(4).since(EventsSince(place=place(2)), NOW)

    assert (codes(batch.events), batch.is_complete, batch.latest) == (["3", "4"], True, place(4))


def test_a_new_reader_starts_from_now() -> None:
    batch = log_of(4).since(EventsSince(place=Place()), NOW)

    assert (batch.events, batch.is_complete, batch.latest) == ((), True, place(4))


def test_a_reader_too_far_behind_is_told_so() -> None:
    batch = log_of(9, kept_max=3).since(EventsSince(place=place(2)), NOW)

    assert (codes(batch.events), batch.is_complete) == (["7", "8", "9"], False)


def test_a_reader_of_an_earlier_life_gets_all_of_this_one_and_is_told_so() -> None:
    batch = log_of(2).since(EventsSince(place=place(77, "earlier")), NOW)

    assert (codes(batch.events), batch.is_complete) == (["1", "2"], False)


def test_a_reader_ahead_of_us_gets_nothing() -> None:
    assert log_of(2).since(EventsSince(place=place(9)), NOW).events == ()


def test_only_the_jobs_events_are_returned() -> None:
    log = EventLog("life")
    log.add(event("mine", job=JOB))
    log.add(event("other", job=OTHER_JOB))

    assert codes(log.since(EventsSince(place=place(0), job=JOB), NOW).events) == ["mine"]


def test_a_missed_event_is_noticed_at_the_next() -> None:
    follower = Follower(place=place(1))
    log = log_of(3)

    assert follower.take(Pulse(latest=log.latest, event=log.add(event("4")))) is None


def test_a_missed_last_event_is_noticed_at_the_next_beat() -> None:
    assert Follower(place=place(1)).take(Pulse(latest=place(2))) is None


def test_a_beat_without_news_brings_nothing() -> None:
    assert Follower(place=place(2)).take(Pulse(latest=place(2))) == ()


def test_lost_events_are_marked_by_a_gap() -> None:
    follower = Follower(place=place(1))
    batch = log_of(9, kept_max=1).since(EventsSince(place=place(1)), NOW)

    assert codes(follower.catch_up(batch)) == [GAP, "9"]


@given(lost=st.sets(st.integers(0, 30)), start=st.integers(0, 10))
def test_whatever_pulses_are_lost_every_event_is_read_once(lost: set[int], start: int) -> None:
    log = log_of(start)
    follower = Follower(place=log.latest)
    read: list[str] = []
    for number in range(30):
        numbered = log.add(event(f"n{number}"))
        if number not in lost:
            brought = follower.take(Pulse(latest=log.latest, event=numbered))
            if brought is None:
                batch = log.since(EventsSince(place=follower.place), NOW)
                brought = follower.catch_up(batch)
            read.extend(codes(brought))
    read.extend(codes(follower.catch_up(log.since(EventsSince(place=follower.place), NOW))))

    assert read == [f"n{number}" for number in range(30)]
