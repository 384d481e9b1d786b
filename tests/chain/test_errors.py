"""How numbers read in refusals: in the units that people use."""

import pytest

from lc_node.chain.errors import in_bytes, in_cpus, in_time


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (15, "15 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7_200, "2 h"),
        (172_800, "2 days"),
        (77_760_000, "900 days"),
        (150, "150 s"),
        (5_400, "90 min"),
    ],
)
def test_a_time_is_said_in_the_largest_unit_of_which_it_is_a_whole_number_above_one(
    seconds: int, text: str
) -> None:
    assert in_time(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 B"),
        (1024, "1.0 KiB"),
        (3 * 1024**2, "3.0 MiB"),
        (25_276_502_016, "23.5 GiB"),
        (900 * 1024**4, "900.0 TiB"),
        (8 * 1024**3 - 1, "7.9 GiB"),
    ],
)
def test_a_size_is_said_in_the_largest_unit_of_which_there_is_one_and_never_as_more_than_it_is(
    size: int, text: str
) -> None:
    assert in_bytes(size) == text


@pytest.mark.parametrize(("milli", "text"), [(1, "0.001"), (500, "0.5"), (2000, "2")])
def test_thousandths_of_a_processor_are_said_as_processors(milli: int, text: str) -> None:
    assert in_cpus(milli) == text
