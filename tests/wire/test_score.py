"""Scores: offences add up, time forgives, the worst ends it at once."""

import pytest

from lc_node.chain.types import Millis
from lc_node.wire.score import BAN_POINTS, CLEAN, DECAY_PER_SECOND, POINTS, Offence

T0 = Millis(1_000_000)


def test_every_offence_has_its_points() -> None:
    assert set(POINTS) == set(Offence)
    assert min(POINTS.values()) > 0


def test_nobody_is_banned_without_an_offence() -> None:
    assert not CLEAN.is_ban(T0)


@pytest.mark.parametrize("offence", [Offence.BAD_CHUNK, Offence.FALSE_CHUNK_LIST])
def test_false_bytes_ban_at_once(offence: Offence) -> None:
    assert CLEAN.after(offence, T0).is_ban(T0)


def test_one_malformed_frame_does_not_ban_but_a_second_does() -> None:
    once = CLEAN.after(Offence.MALFORMED, T0)

    assert not once.is_ban(T0)
    assert once.after(Offence.MALFORMED, T0).is_ban(T0)


def test_a_bad_peer_is_not_relied_upon_long_before_it_is_banned() -> None:
    score = CLEAN.after(Offence.REJECTED, T0)

    assert score.is_bad(T0)
    assert not score.is_ban(T0)
    assert not score.is_bad(Millis(T0 + 1_000))
    assert not CLEAN.is_bad(T0)


def test_time_forgives() -> None:
    score = CLEAN.after(Offence.REJECTED, T0)

    assert score.points_at(Millis(T0 + 10_000)) == POINTS[Offence.REJECTED] - 10 * DECAY_PER_SECOND
    assert score.points_at(Millis(T0 + 10_000_000)) == 0


def test_a_clock_that_goes_back_forgives_nothing() -> None:
    score = CLEAN.after(Offence.REJECTED, T0)

    assert score.points_at(Millis(0)) == POINTS[Offence.REJECTED]
    assert score.after(Offence.REJECTED, Millis(0)).points == 2 * POINTS[Offence.REJECTED]


def test_after_a_clock_was_set_back_time_forgives_as_before() -> None:
    score = CLEAN.after(Offence.OVER_LIMIT, T0).after(Offence.OVER_LIMIT, Millis(0))

    assert score.points_at(Millis(60_000)) == 0


def test_who_exceeds_a_limit_slightly_but_always_is_not_banned() -> None:
    score = CLEAN
    for second in range(1_000):
        score = score.after(Offence.OVER_LIMIT, Millis(T0 + second * 1_000))

    assert score.points_at(Millis(T0 + 1_000_000)) < BAN_POINTS
