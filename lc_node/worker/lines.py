"""What a job may write on a line of stdout, and numbers as exact as it wrote them (docs/CONTRACT.md)."""

import json
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, NoReturn, TypeAlias

from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import NanoLoss

LINE_BYTES_MAX: Final = 4096
INTEGER_MAX: Final = 2**63 - 1

_MARK: Final = b'"lc"'
_NANO_DIGITS: Final = 9
_PLACES_MAX: Final = 10  # 63 bits of nano end below 1e10
_PLACES_MIN: Final = -12  # smaller than half a nano: zero
_EXACT: Final = Context(prec=LINE_BYTES_MAX + 16, rounding=ROUND_HALF_EVEN)

Scalar: TypeAlias = int | float | str | bool
Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"


class BadLine(LearningChainError):
    """A job's line claims to be a message of the contract and is none: the job's fault."""


def read_object(line: bytes) -> dict[str, Json] | None:
    """Return the message object of a line, None if the line is a log.

    A line is meant as a message if it begins with ``{`` and holds ``"lc"``; every other line is a log.

    Raises:
        BadLine: too long, not UTF-8, not one JSON object, a repeated key, or no finite number.
    """
    if not line.lstrip(b" \t").startswith(b"{") or _MARK not in line:
        return None
    if len(line) > LINE_BYTES_MAX:
        raise BadLine(f"a message has {len(line)} bytes, the most is {LINE_BYTES_MAX}")
    try:
        # What begins with a brace is an object, or is no JSON.
        value: dict[str, Json] = _DECODER.decode(line.decode("utf-8").strip(" \t\r"))
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise BadLine(f"not a line of strict JSON: {_shown(error)}") from error
    return value


def nano(number: int | Decimal) -> NanoLoss:
    """Return a loss in units of 1e-9, rounded half to even from the digits that were written.

    Raises:
        BadLine: the result needs more than 63 bits and a sign.
    """
    value = Decimal(number) if isinstance(number, int) else number
    if value.is_zero() or value.adjusted() < _PLACES_MIN:
        return NanoLoss(0)
    if value.adjusted() < _PLACES_MAX:
        whole = int(_EXACT.to_integral_value(_EXACT.scaleb(value, _NANO_DIGITS)))
        if -INTEGER_MAX - 1 <= whole <= INTEGER_MAX:
            return NanoLoss(whole)
    raise BadLine("a loss is larger than 63 bits of 1e-9 can say")


def real(number: int | Decimal) -> float:
    """Return the nearest double of a number.

    Raises:
        BadLine: it is larger than a double can say.
    """
    value = float(number)
    if value in (float("inf"), float("-inf")):
        raise BadLine("a number is larger than a double can say")
    return value


def write_line(**fields: object) -> bytes:
    """Return a line for the job's stdin, without its newline."""
    return json.dumps(fields, allow_nan=False, separators=(",", ":")).encode()


def _shown(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:200]


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _integer(text: str) -> int:
    value = int(text)
    if not -INTEGER_MAX - 1 <= value <= INTEGER_MAX:
        raise ValueError("an integer needs more than 63 bits")
    return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_no_constant,
    parse_float=Decimal,
    parse_int=_integer,
)
