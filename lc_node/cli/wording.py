"""How quantities read in a terminal, and how they are typed there."""

import re
from decimal import Decimal
from typing import Final

import click

from lc_node.api.schema import MicroCredits, NanoLoss

_MICRO: Final = 1_000_000
_NANO: Final = 1_000_000_000
_CREDITS: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?")
_SIZE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([KMGT]?)B?")
_BYTES: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SPAN: Final = re.compile(r"(\d{1,9})([smhd])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_KIBI: Final = 1024
_THOUSAND: Final = 1000
_ADDRESS_SHOWN: Final = 12
_ID_SHOWN: Final = 8


def credits_text(micro: int) -> str:
    """Return micro-credits as credits: ``20``, ``0.3``, ``-1.000001``."""
    sign = "-" if micro < 0 else ""
    whole, part = divmod(abs(micro), _MICRO)
    return f"{sign}{whole:,}" + (f".{part:06}".rstrip("0") if part else "")


def loss_text(loss: NanoLoss | None) -> str:
    """Return a loss with as many digits as tell bids apart."""
    return "-" if loss is None else f"{loss / _NANO:.6g}"


def bytes_text(count: int) -> str:
    """Return a size with three digits: ``21.4 MiB``; small ones to the byte."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if size < _KIBI:
            break
        size, unit = size / _KIBI, larger
    return (
        f"{count} B"
        if unit == "B"
        else f"{size:.3g} {unit}"
        if size < _THOUSAND
        else f"{size:.0f} {unit}"
    )


def span_text(milliseconds: int) -> str:
    """Return how long that is, in its two largest units: ``2 h 5 min``; ``over`` if it is past."""
    if milliseconds <= 0:
        return "over"
    seconds = milliseconds // 1000
    for size, unit, smaller, smaller_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // smaller} {smaller_unit}"
    return f"{seconds} s"


def short_address(address: str | None) -> str:
    """Return the beginning of an address, enough to recognise it."""
    return "-" if address is None else address[:_ADDRESS_SHOWN]


def short_id(job: str) -> str:
    """Return the beginning of a job's id; commands take it for the whole."""
    return job[:_ID_SHOWN]


class CreditsType(click.ParamType[MicroCredits, str]):
    """An amount of credits with at most six decimals."""

    name = "credits"

    def convert(
        self,
        value: str | MicroCredits,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> MicroCredits:
        """Return the amount in millionths."""
        if isinstance(value, int):
            return value
        if (found := _CREDITS.fullmatch(value)) is None:
            self.fail(f"{value!r} is not an amount of credits, such as 20 or 0.5.", param, ctx)
        whole, part = found[1], found[2] or ""
        return MicroCredits(int(whole) * _MICRO + int(part.ljust(6, "0")))


class SpanType(click.ParamType[int, str]):
    """A length of time: a number and one of s, m, h, d."""

    name = "time"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the length in seconds."""
        if isinstance(value, int):
            return value
        if (found := _SPAN.fullmatch(value)) is None:
            self.fail(f"{value!r} is not a length of time, such as 90s, 10m or 2h.", param, ctx)
        return int(found[1]) * _SECONDS[found[2]]


class SizeType(click.ParamType[int, str]):
    """A number of bytes: a number, and perhaps one of K, M, G, T, which are powers of 1024."""

    name = "size"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Return the size in bytes."""
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(value.upper())
        size = 0 if found is None else int(Decimal(found[1]) * _BYTES[found[2]])
        if not size:
            self.fail(f"{value!r} is not a size, such as 500M or 20G.", param, ctx)
        return size


class ListType(click.ParamType[tuple[str, ...], str]):
    """Texts with commas between them; an empty text is none of them."""

    name = "list"

    def convert(
        self,
        value: str | tuple[str, ...],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[str, ...]:
        """Return the texts, each without the spaces around it."""
        del param, ctx  # nothing can be wrong with a list
        if isinstance(value, tuple):
            return value
        return tuple(part.strip() for part in value.split(",") if part.strip())


CREDITS: Final = CreditsType()
LIST: Final = ListType()
SIZE: Final = SizeType()
SPAN: Final = SpanType()
