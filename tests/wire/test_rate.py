"""Rates: a window's allowance at once, evenly afterwards, and never a unit more."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.chain.types import ByteCount, Millis
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import LIMITS, WINDOW
from lc_node.wire.rate import Bucket, Pace, RateLimiter

T0 = Millis(1_000_000)


def spend(bucket: Bucket, units: int, now: Millis) -> bool:
    bucket.refill(now)
    if not bucket.has(units):
        return False
    bucket.take(units)
    return True


def test_a_bucket_lets_its_allowance_through_at_once_and_no_more() -> None:
    bucket = Bucket(5, T0)

    assert [spend(bucket, 1, T0) for _ in range(6)] == [True] * 5 + [False]


def test_a_bucket_is_whole_again_after_a_window() -> None:
    bucket = Bucket(5, T0)
    spend(bucket, 5, T0)

    assert not spend(bucket, 5, Millis(T0 + WINDOW - 1))
    assert spend(bucket, 5, Millis(T0 + WINDOW))


def test_a_clock_that_goes_back_credits_nothing() -> None:
    bucket = Bucket(5, T0)
    spend(bucket, 5, T0)

    assert not spend(bucket, 1, Millis(0))


def test_after_a_clock_was_set_back_time_counts_as_before() -> None:
    bucket = Bucket(5, T0)
    spend(bucket, 5, T0)
    spend(bucket, 1, Millis(0))

    assert spend(bucket, 5, Millis(WINDOW))


@settings(max_examples=100)
@given(
    allowance=st.integers(1, 1000),
    steps=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 300)), max_size=60),
)
def test_no_pattern_gets_more_through_than_burst_and_rate_allow(
    allowance: int, steps: list[tuple[int, int]]
) -> None:
    bucket, now, passed = Bucket(allowance, T0), T0, 0
    for wait, units in steps:
        now = Millis(now + wait)
        passed += units if spend(bucket, units, now) else 0

        assert passed * WINDOW <= allowance * (WINDOW + now - T0)


@settings(max_examples=50)
@given(allowance=st.integers(1, 1000), count=st.integers(1, 200))
def test_who_keeps_to_the_rate_is_never_stopped(allowance: int, count: int) -> None:
    bucket = Bucket(allowance, T0)
    spaced = [Millis(T0 + n * WINDOW // allowance + n) for n in range(count)]

    assert all(spend(bucket, 1, at) for at in spaced)


def test_a_peer_is_held_to_the_number_of_frames_of_a_kind() -> None:
    limiter, limit = RateLimiter(T0), LIMITS[Kind.STATUS]

    admitted = [limiter.admits(Kind.STATUS, ByteCount(1), T0) for _ in range(limit.messages + 1)]

    assert admitted == [True] * limit.messages + [False]


def test_a_peer_is_held_to_the_bytes_of_a_kind() -> None:
    limiter, limit = RateLimiter(T0), LIMITS[Kind.CONSENSUS]
    largest = limit.bytes // limit.bytes_max

    admitted = [limiter.admits(Kind.CONSENSUS, limit.bytes_max, T0) for _ in range(largest + 1)]

    assert admitted == [True] * largest + [False]


def test_kinds_are_counted_apart() -> None:
    limiter = RateLimiter(T0)
    while limiter.admits(Kind.STATUS, ByteCount(1), T0):
        continue

    assert limiter.admits(Kind.CONSENSUS, ByteCount(1), T0)


def test_a_part_of_an_allowance_is_a_part_of_its_frames() -> None:
    pace, limit = Pace(Kind.STATUS, T0, percent=75), LIMITS[Kind.STATUS]

    admitted = sum(pace.admits(ByteCount(1), T0) for _ in range(limit.messages))

    assert admitted == limit.messages * 75 // 100


def test_what_comes_together_is_admitted_whole_or_not_at_all() -> None:
    limit = LIMITS[Kind.TRANSACTIONS].messages
    limiter = RateLimiter(T0)

    assert limiter.admits(Kind.TRANSACTIONS, ByteCount(1), T0, messages=limit - 1)
    assert not limiter.admits(Kind.TRANSACTIONS, ByteCount(1), T0, messages=2)
    assert limiter.admits(Kind.TRANSACTIONS, ByteCount(1), T0)
