"""Hours of the day: which minutes lie in them, and how an owner writes them."""

import pytest

from lc_node.worker.hours import BadHours, Minute, parse_hours


@pytest.mark.parametrize(
    ("text", "minute", "is_within"),
    [
        ("08:00-18:00", 8 * 60, True),
        ("08:00-18:00", 18 * 60, False),
        ("08:00-18:00", 7 * 60 + 59, False),
        ("22:00-07:30", 23 * 60, True),
        ("22:00-07:30", 7 * 60 + 29, True),
        ("22:00-07:30", 7 * 60 + 30, False),
        ("22:00-07:30", 12 * 60, False),
        ("22:00-00:00", 24 * 60 - 1, True),
        ("22:00-00:00", 0, False),
        ("00:00-24:00", 24 * 60 - 1, True),
        ("00:00-24:00", 0, True),
    ],
)
def test_a_minute_lies_within_hours_or_not(*, text: str, minute: int, is_within: bool) -> None:
    assert (Minute(minute) in parse_hours(text)) is is_within


@pytest.mark.parametrize(
    "text",
    ["", "8-18", "08:00-18:60", "24:00-08:00", "08:00-24:01", "08:00-08:00", "08:00-18:00 "],
)
def test_what_are_no_hours_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadHours, match="write them as in 22:00-07:30"):
        parse_hours(text)
