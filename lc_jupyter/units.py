"""What people write in options: credits, durations, sizes, proportions; read strictly, shown shortly."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from lc_jupyter.errors import UserError

MICRO_PER_CREDIT: Final = 1_000_000
NANO: Final = 1_000_000_000
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_DURATION: Final = re.compile(r"(?:\d+[smhd])+")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", re.IGNORECASE)
_SHORT_ENOUGH: Final = 16
_PPM: Final = re.compile(r"(\d+)ppm")


def parse_credits(text: str, option: str) -> int:
    """Return micro-credits from ``20`` or ``0.5``."""
    try:
        amount = Decimal(text) * MICRO_PER_CREDIT
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount != int(amount):
        raise UserError(
            f"{option} {text!r} is no amount of credits; write for example {option} 20"
        )
    return int(amount)


def parse_seconds(text: str, option: str) -> int:
    """Return seconds from ``45s``, ``10m``, ``1h30m``, ``2d``."""
    if not _DURATION.fullmatch(text):
        raise UserError(f"{option} {text!r} is no duration; write for example {option} 10m")
    return sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)([smhd])", text))


def parse_bytes(text: str, option: str) -> int:
    """Return bytes from ``100M`` or ``2G`` (powers of 1024)."""
    match = _SIZE.fullmatch(text)
    if not match:
        raise UserError(f"{option} {text!r} is no size; write for example {option} 2G")
    return int(Decimal(match[1]) * _BYTES[match[2].upper()])


def parse_ppm(text: str, option: str) -> int:
    """Return parts per million from ``100ppm``."""
    match = _PPM.fullmatch(text)
    if not match:
        raise UserError(f"{option} {text!r} is no tolerance; write for example {option} 100ppm")
    return int(match[1])


def parse_millicpus(text: str, option: str) -> int:
    """Return thousandths of a CPU from ``1`` or ``0.5``."""
    try:
        value = Decimal(text) * 1000
    except InvalidOperation:
        value = Decimal(0)
    if not value.is_finite() or value < 1:
        raise UserError(f"{option} {text!r} is no number of CPUs; write for example {option} 1")
    return int(value)


def show_credits(micro: int) -> str:
    """Return an amount as a person reads it: ``20``, ``0.1``."""
    whole, rest = divmod(abs(micro), MICRO_PER_CREDIT)
    sign = "-" if micro < 0 else ""
    return f"{sign}{whole:,}" + (f".{rest:06d}".rstrip("0") if rest else "")


def show_loss(nano: int | None) -> str:
    """Return a loss with six digits behind the point."""
    return "–" if nano is None else f"{Decimal(nano) / NANO:.6f}"


def show_bytes(size: int) -> str:
    """Return a size in the largest unit that leaves at least 1."""
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def show_seconds(seconds: int) -> str:
    """Return a span as ``1h05m``, ``3m20s`` or ``12s``."""
    seconds = max(0, seconds)
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{left:02d}s" if minutes else f"{left}s"


def short(name: str) -> str:
    """Return the head and tail of a long name: enough to tell two apart."""
    return name if len(name) <= _SHORT_ENOUGH else f"{name[:8]}…{name[-4:]}"
