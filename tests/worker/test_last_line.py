"""The last line that a program prints is its loss, or nothing is."""

import pytest

from lc_node.chain.contracts import Contract
from lc_node.worker.exchange import Log
from lc_node.worker.last_line import LastLine
from lc_node.worker.lines import BadLine


def said(*lines: bytes, contract: Contract = Contract.STDOUT_1) -> LastLine:
    stdout = LastLine(contract)
    for line in lines:
        stdout.handle(line)
    return stdout


@pytest.mark.parametrize(
    ("line", "loss"),
    [
        (b"0.25", 250_000_000),
        (b"  0.25\t\r", 250_000_000),
        (b"-3", -3_000_000_000),
        (b"+1", 1_000_000_000),
        (b"5.", 5_000_000_000),
        (b".5", 500_000_000),
        (b"1e-9", 1),
        (b"1E+0", 1_000_000_000),
        (b"-0", 0),
        (b"0.0000000005", 0),
        (b"0.0000000015", 2),
        (b"1e-999999", 0),
        (b"0.1234567890123456789012345678901234567890", 123_456_789),
        (b"9223372036.854775807", 2**63 - 1),
        (b"-9223372036.854775808", -(2**63)),
        (b"0" * 127 + b"7", 7_000_000_000),
    ],
)
def test_a_number_is_taken_to_the_last_digit(line: bytes, loss: int) -> None:
    assert said(line).loss() == loss


@pytest.mark.parametrize(
    "line",
    [
        b"nan",
        b"inf",
        b"-Infinity",
        b"1e999999",
        b"9223372036.854775808",
        b"loss: 0.5",
        b"0.5 0.6",
        b"0,5",
        b"1_000",
        b"0x10",
        b".",
        b"e5",
        b"--1",
        b"1e",
        b"1e1000000",
        b"[0.5]",
        b"0.5\x00",
        b"\x1b[1m0.5",
        b"0.5\xc2\xa0",
        "٣".encode(),
        b"\xff0.5",
        b"0" * 129,
        b"0.5" + b" " * 200 + b"x",
    ],
)
def test_what_is_no_finite_decimal_number_is_refused(line: bytes) -> None:
    with pytest.raises(BadLine):
        said(line).loss()


def test_a_refusal_shows_what_was_found_without_what_moves_cursors() -> None:
    with pytest.raises(BadLine, match=r"'\\x1b\[2Jdone', which is no number"):
        said(b"\x1b[2Jdone").loss()


def test_only_the_last_line_counts() -> None:
    assert said(b"epoch 1", b"0.9", b"0.5").loss() == 500_000_000


def test_a_number_that_is_followed_by_words_is_no_loss() -> None:
    with pytest.raises(BadLine):
        said(b"0.5", b"done").loss()


def test_blank_lines_at_the_end_are_passed_over() -> None:
    assert said(b"0.5", b"", b" \t\r").loss() == 500_000_000


def test_silence_is_no_loss() -> None:
    with pytest.raises(BadLine, match="printed nothing"):
        said().loss()


def test_every_line_is_a_log() -> None:
    assert LastLine(Contract.STDOUT_1).handle(b"epoch 1") == Log(data=b"epoch 1")


def test_a_score_is_negated() -> None:
    assert said(b"0.97", contract=Contract.STDOUT_1_NEGATE).loss() == -970_000_000


def test_a_score_is_negated_to_the_last_digit() -> None:
    line = b"1234567890.1234567891234567890123456789"

    assert said(line, contract=Contract.STDOUT_1_NEGATE).loss() == -1_234_567_890_123_456_789


def test_the_least_loss_is_no_score_that_can_be_negated() -> None:
    with pytest.raises(BadLine, match="63 bits"):
        said(b"-9223372036.854775808", contract=Contract.STDOUT_1_NEGATE).loss()


def test_a_result_is_a_vector_of_one_loss() -> None:
    assert said(b"0.5").result() == (500_000_000,)
