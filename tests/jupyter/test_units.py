"""What people write in options, and what they are shown."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_jupyter.units import (
    Malformed,
    parse_bytes,
    parse_credits,
    parse_millicpus,
    parse_ppm,
    parse_seconds,
    short,
    show_bytes,
    show_credits,
    show_loss,
    show_seconds,
)

Parse = Callable[[str, str], int]


@pytest.mark.parametrize(
    ("parse", "text", "meant"),
    [
        (parse_credits, "20", 20_000_000),
        (parse_credits, "0.000001", 1),
        (parse_credits, "1e3", 1_000_000_000),
        (parse_seconds, "45s", 45),
        (parse_seconds, "1h30m", 5400),
        (parse_seconds, "2d", 172_800),
        (parse_bytes, "100M", 100 * 1024**2),
        (parse_bytes, "1.5GiB", 1536 * 1024**2),
        (parse_bytes, "17", 17),
        (parse_ppm, "100ppm", 100),
        (parse_millicpus, "0.5", 500),
        (parse_millicpus, "4", 4000),
    ],
)
def test_what_is_written_well_is_understood(parse: Parse, text: str, meant: int) -> None:
    assert parse(text, "--option") == meant


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *(
            (parse_credits, text)
            for text in ("", "much", "-5", "0", "nan", "inf", "0.0000001", "1e40")
        ),
        *(
            (parse_seconds, text)
            for text in ("", "10", "10 m", "10M", "-5m", "0s", "m", "99999999d")
        ),
        *((parse_bytes, text) for text in ("", "G", "-1G", "0", "2 G", "2X", "99999T", "٣G")),
        *((parse_ppm, text) for text in ("", "100", "1%", "-1ppm", "2000000ppm")),
        *((parse_millicpus, text) for text in ("", "two", "0", "-1", "inf", "2000")),
    ],
)
def test_what_cannot_be_meant_is_refused_with_an_example(parse: Parse, text: str) -> None:
    with pytest.raises(Malformed, match=r"--option .* write for example --option \S+"):
        parse(text, "--option")


def test_a_number_of_python_is_as_good_as_text() -> None:
    assert parse_credits(0.1, "bounty") == 100_000


@given(st.integers(1, 10**15))
def test_shown_credits_are_read_back_exactly(micro: int) -> None:
    assert parse_credits(show_credits(micro).replace(",", ""), "--bounty") == micro


@given(st.integers(1, 86_399))
def test_shown_spans_below_an_hour_are_read_back_exactly(seconds: int) -> None:
    shown = seconds if seconds < 3600 else seconds - seconds % 60  # hours leave the seconds out

    assert parse_seconds(show_seconds(seconds), "--expires") == shown


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (show_credits(-1_500_000), "-1.5"),
        (show_credits(1_234_000_000), "1,234"),
        (show_loss(None), "–"),
        (show_loss(4_706_000), "0.004706"),
        (show_loss(427), "4.27e-07"),
        (show_bytes(1023), "1023 B"),
        (show_bytes(36 * 1024**2), "36.0 MiB"),
        (show_seconds(-5), "0s"),
        (show_seconds(200), "3m20s"),
        (show_seconds(3900), "1h05m"),
        (show_seconds(190_000), "2d04h"),
        (short("lc1sample"), "lc1sample"),
        (short("lc1qwertyuiopasdfgh"), "lc1qwert…dfgh"),
    ],
)
def test_a_quantity_is_shown_as_people_read_it(shown: str, expected: str) -> None:
    assert shown == expected
