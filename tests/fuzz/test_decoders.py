"""Whatever strangers send is refused by name, or means one thing: for every decoder of the table."""

from collections.abc import Sequence
from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.decoders import found_decoders
from tests.fuzz.targets import TARGETS

EXAMPLES = 100
_QUIET = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck)
)  # ten seconds an input are the limit of the long runs: see tests/fuzz/__main__.py

CUTS = st.lists(
    st.tuples(
        st.sampled_from(("set", "cut", "insert", "repeat", "end")),
        st.integers(min_value=0, max_value=2**16),
        st.binary(max_size=9),
    ),
    min_size=1,
    max_size=4,
)
"""Changes to a sample: what is done, where, with what."""


@pytest.mark.parametrize("name", TARGETS)
def test_what_honest_programs_write_is_accepted(name: str) -> None:
    target = TARGETS[name]

    accepted = [target.check(sample) for sample in target.samples()]

    # A rule may forbid some of what the types allow; never all of it.
    assert any(accepted), name


@pytest.mark.parametrize("name", found_decoders())
@_QUIET
@given(seed=st.integers(min_value=0, max_value=2**64))
def test_every_value_of_a_records_type_is_read_back(name: str, seed: int) -> None:
    draw = TARGETS[name].draw
    assert draw is not None

    assert TARGETS[name].check(draw(Random(seed)))  # noqa: S311  # hypothesis chose the seed


@pytest.mark.parametrize("name", TARGETS)
@_QUIET
@given(data=st.binary(max_size=600))
def test_any_bytes_are_refused_by_name_or_mean_one_thing(name: str, data: bytes) -> None:
    TARGETS[name].check(data)


@pytest.mark.parametrize("name", TARGETS)
@_QUIET
@given(which=st.integers(min_value=0), cuts=CUTS)
def test_changed_bytes_are_refused_by_name_or_mean_one_thing(
    name: str, which: int, cuts: Sequence[tuple[str, int, bytes]]
) -> None:
    samples = samples_of(name)
    data = samples[which % len(samples)]
    for how, at, piece in cuts:
        data = _changed(data, how, at % (len(data) + 1), piece)

    TARGETS[name].check(data)


@cache
def samples_of(name: str) -> Sequence[bytes]:
    return TARGETS[name].samples()


def _changed(data: bytes, how: str, at: int, piece: bytes) -> bytes:
    match how:
        case "set":
            return data[:at] + piece + data[at + len(piece) :]
        case "cut":
            return data[:at] + data[at + len(piece) + 1 :]
        case "insert":
            return data[:at] + piece + data[at:]
        case "repeat":
            return data[:at] + data[max(0, at - 40) :]
        case _:
            return data[:at]
