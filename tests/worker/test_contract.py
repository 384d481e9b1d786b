"""What a job may write: a message, a log, or a named fault; never anything else."""

import json
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.worker.contract import (
    Ask,
    Begin,
    ChoiceSpace,
    End,
    EndState,
    FloatSpace,
    IntSpace,
    Losses,
    Model,
    Report,
    parse_line,
)
from lc_node.worker.lines import BadLine, nano

VALID = [
    (b'{"lc":"begin","trial":0}', Begin(trial=0)),
    (b'  {"trial": 9223372036854775807, "lc": "begin"} \r', Begin(trial=2**63 - 1)),
    (
        b'{"lc":"ask","trial":1,"name":"x","kind":"float","low":0,"high":1.5}',
        Ask(trial=1, name="x", space=FloatSpace(low=0.0, high=1.5, log=False, step=None)),
    ),
    (
        b'{"lc":"ask","trial":1,"name":"n","kind":"int","low":1,"high":9,"log":true}',
        Ask(trial=1, name="n", space=IntSpace(low=1, high=9, log=True, step=1)),
    ),
    (
        b'{"lc":"ask","trial":1,"name":"k","kind":"categorical","choices":["a",1,true,0.5]}',
        Ask(trial=1, name="k", space=ChoiceSpace(choices=("a", 1, True, 0.5))),
    ),
    (
        b'{"lc":"report","trial":1,"step":2,"loss":1e-3,"bytes":10}',
        Report(trial=1, step=2, loss=0.001, bytes=10),
    ),
    (b'{"lc":"model","trial":1,"file":"m-1.bin"}', Model(trial=1, file="m-1.bin")),
    (b'{"lc":"end","trial":1,"state":"pruned"}', End(trial=1, state=EndState.PRUNED)),
    (b'{"lc":"losses","values":[1,0.5]}', Losses(values=(10**9, 5 * 10**8))),  # type: ignore[arg-type]
]

FAULTS = [
    b'{"lc":"hello"}',
    b'{"lc":1}',
    b'{"lc":"begin"}',
    b'{"lc":"begin","trial":-1}',
    b'{"lc":"begin","trial":true}',
    b'{"lc":"begin","trial":1.0}',
    b'{"lc":"begin","trial":9223372036854775808}',
    b'{"lc":"begin","trial":' + b"9" * 4000 + b"}",
    b'{"lc":"begin","trial":1,"also":2}',
    b'{"lc":"begin","trial":1,"trial":2}',
    b'{"lc":"begin","trial":1} {"lc":"begin","trial":2}',
    b'{"lc":"begin","trial":1',
    b'{"lc":"begin","trial":1}\xff',
    b'{"lc":"begin","trial":1' + b" " * 4096 + b"}",
    b'{"lc":' * 700,
    b'{"lc":"report","trial":1,"step":0,"loss":NaN}',
    b'{"lc":"report","trial":1,"step":0,"loss":-Infinity}',
    b'{"lc":"report","trial":1,"step":0,"loss":1e999}',
    b'{"lc":"report","trial":1,"step":0,"loss":1e99999999999999999999}',
    b'{"lc":"report","trial":1,"step":0,"loss":"0"}',
    b'{"lc":"ask","trial":1,"name":"","kind":"int","low":1,"high":2}',
    b'{"lc":"ask","trial":1,"name":"\\ud800","kind":"int","low":1,"high":2}',
    b'{"lc":"ask","trial":1,"name":"\\u001b[2J","kind":"int","low":1,"high":2}',
    b'{"lc":"ask","trial":1,"name":"x","kind":"complex","low":1,"high":2}',
    b'{"lc":"ask","trial":1,"name":"x","kind":"int","low":1,"high":2.5}',
    b'{"lc":"ask","trial":1,"name":"x","kind":"int","low":1,"high":2,"log":1}',
    b'{"lc":"ask","trial":1,"name":"x","kind":"categorical","choices":[]}',
    b'{"lc":"ask","trial":1,"name":"x","kind":"categorical","choices":[null]}',
    b'{"lc":"model","trial":1,"file":"../model"}',
    b'{"lc":"model","trial":1,"file":".hidden"}',
    b'{"lc":"model","trial":1,"file":"a/b"}',
    b'{"lc":"end","trial":1,"state":"done"}',
    b'{"lc":"losses","values":[]}',
    b'{"lc":"losses","values":[' + b",".join([b"0"] * 65) + b"]}",
    b'{"lc":"losses","values":[true]}',
    b'{"lc":"losses","values":[9223372037]}',
    b'{"lc":"checkpoint","trial":1}',
    b'{"lc":"resume","trial":1}',
]

LOGS = [
    b"",
    b"epoch 1",
    b"{'lc': 'begin'}",
    b'{"loss": 0.1}',
    b'["lc"]',
    b"\xff\x00",
    b'x {"lc":1}',
]


@pytest.mark.parametrize(("line", "message"), VALID)
def test_a_message_is_read(line: bytes, message: object) -> None:
    assert parse_line(line) == message


@pytest.mark.parametrize("line", FAULTS)
def test_what_claims_to_be_a_message_and_is_none_is_a_named_fault(line: bytes) -> None:
    with pytest.raises(BadLine) as caught:
        parse_line(line)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("line", LOGS)
def test_any_other_line_is_a_log(line: bytes) -> None:
    assert parse_line(line) is None


def outcome_of(line: bytes) -> str:
    try:
        return "log" if parse_line(line) is None else "message"
    except BadLine:
        return "fault"


@settings(max_examples=100)
@given(st.binary())
def test_any_bytes_that_claim_nothing_are_a_log(line: bytes) -> None:
    assert outcome_of(line.replace(b'"lc"', b"")) == "log"


@settings(max_examples=100)
@given(st.binary())
def test_any_bytes_after_the_mark_are_a_message_or_a_named_fault(tail: bytes) -> None:
    assert outcome_of(b'{"lc":' + tail) in ("message", "fault")


TEXT = st.text("x\x00\ud800\u20ac", max_size=4)
JSON = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.lists(st.integers())
KEYS = ["trial", "name", "kind", "low", "high", "log", "step", "choices", "loss", "file", "state"]
KINDS = ["begin", "ask", "report", "model", "end", "losses"]


@settings(max_examples=100)
@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5))
def test_any_fields_are_a_message_or_a_named_fault(kind: str, fields: dict[str, object]) -> None:
    line = json.dumps({"lc": kind, **fields}).encode()

    assert outcome_of(line) in ("message", "fault")


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("0.0000000005", 0),
        ("0.0000000015", 2),
        ("0.0000000025", 2),
        ("0.00000000250000000000000000000000000000000001", 3),
        ("-0.0000000015", -2),
        ("1e-4000", 0),
        ("-0", 0),
        ("9223372036.854775807", 2**63 - 1),
        ("-9223372036.854775808", -(2**63)),
    ],
)
def test_a_loss_is_rounded_half_to_even_from_its_digits(text: str, loss: int) -> None:
    assert nano(Decimal(text)) == loss


@pytest.mark.parametrize("text", ["9223372036.8547758075", "1e10", "-1e999999"])
def test_a_loss_beyond_63_bits_is_a_named_fault(text: str) -> None:
    with pytest.raises(BadLine, match="63 bits"):
        nano(Decimal(text))


@settings(max_examples=100)
@given(st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False, places=15))
def test_rounding_agrees_with_quantize(value: Decimal) -> None:
    expected = (value * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)

    assert nano(value) == expected
