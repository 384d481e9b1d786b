"""Plain data goes out and comes back; what is none is refused, and so are bytes that lie."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal, assert_series_equal

from lc_jupyter.runner.plain import MAGIC, NotPlain, decode, encode


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        5,
        -0.5,
        float("inf"),
        "text",
        b"bytes",
        [1, [2.0, "three"], {}],
        {"a": [1], 2: None, 0.5: {"b": b""}},
    ],
)
def test_a_value_comes_back_as_it_went(value: object) -> None:
    assert decode(encode(value)) == value


def test_a_tuple_comes_back_as_a_list() -> None:
    assert decode(encode((1, (2,)))) == [1, [2]]


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.arange(6).reshape(2, 3).T,
        np.zeros((0, 3)),
        np.array(5),
        np.array([True, False]),
        np.array(["a", "bc"]),
        np.array(["2026-01-01"], dtype="datetime64[ns]"),
        np.array([["a", 1], [None, 0.5]], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_an_array_comes_back_with_its_type_and_shape(array: np.ndarray[Any, Any]) -> None:
    back = decode(encode(array))

    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert_array_equal(back, array)


def test_an_array_that_came_back_can_be_changed() -> None:
    back = decode(encode(np.zeros(3)))
    back[0] = 1

    assert back.tolist() == [1, 0, 0]


def test_a_number_of_numpy_comes_back_as_a_number() -> None:
    back = decode(encode(np.float64(0.5)))

    assert (type(back), back) == (float, 0.5)


def test_a_table_comes_back_with_its_names_and_index() -> None:
    frame = pd.DataFrame({"x": [0.5, 1.5], "kind": ["a", "b"]}, index=[7, 9])

    assert_frame_equal(decode(encode(frame)), frame, check_dtype=False, check_column_type=False)


def test_a_column_comes_back_with_its_name() -> None:
    series = pd.Series([1, 2], name="x")

    assert_series_equal(decode(encode(series)), series)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({1, 2}, "the data is a set, which is no plain data"),
        ([1, {"a": object()}], r"the data\[1\]\['a'\] is a object"),
        ({(1, 2): 3}, r"has the key \(1, 2\), a tuple"),
        (np.array([{1}], dtype=object), "an item of the data is"),
        (np.zeros(2, dtype=[("a", "i4")]), "which is no plain data"),
    ],
)
def test_what_is_no_plain_data_is_named(value: object, why: str) -> None:
    with pytest.raises(NotPlain, match=why):
        encode(value)


def test_what_is_nested_without_end_is_refused() -> None:
    value: list[object] = []
    value.append(value)

    with pytest.raises(NotPlain, match="nested too deeply"):
        encode(value)


def written(document: str, rest: bytes = b"") -> bytes:
    return MAGIC + struct.pack("<Q", len(document)) + document.encode() + rest


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"",
        lambda: b"\x80\x05N.",
        lambda: MAGIC,
        lambda: MAGIC + b"\xff" * 8,
        lambda: written("no JSON"),
        lambda: written("[" * 100_000),
        lambda: written('{"list": [' * 40 + "]}" * 40),
        lambda: written('{"set": []}'),
        lambda: written("{}"),
        lambda: written("[1]"),
        lambda: written('{"bytes": -1}'),
        lambda: written('{"bytes": 5}', b"four"),
        lambda: written('{"array": ["<f8", [2]]}', bytes(15)),
        lambda: written('{"array": ["<f8", [1099511627776]]}', bytes(16)),
        lambda: written('{"array": ["<f8", [-1, -2]]}', bytes(16)),
        lambda: written('{"array": ["|O8", [1]]}', bytes(8)),
        lambda: written('{"array": ["<U0", [99]]}'),
        lambda: written('{"array": ["i4,f8", [1]]}', bytes(16)),
        lambda: written('{"array": ["object", [3], [1]]}'),
        lambda: written('{"dict": [[{"list": []}, 1]]}'),
        lambda: written('{"frame": 5}'),
    ],
)
def test_bytes_that_are_no_plain_data_are_refused(make: Callable[[], bytes]) -> None:
    with pytest.raises(NotPlain):
        decode(make())
