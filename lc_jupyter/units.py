"""What people write in options: credits, durations, sizes, proportions; read strictly, shown shortly."""

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from lc_jupyter.errors import UserError

MICRO_PER_CREDIT: Final = 1_000_000
NANO: Final = 1_000_000_000
_SMALL_NANO: Final = 1_000_000
CREDITS_MAX: Final = 10**12
SECONDS_MAX: Final = 10**9
BYTES_MAX: Final = 2**50
CPUS_MAX: Final = 1000
PPM_MAX: Final = 1_000_000
COUNT_MAX: Final = 256
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_BYTES: Final = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_DURATION: Final = re.compile(r"(?:\d+[smhd])+", re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_PPM: Final = re.compile(r"(\d+)ppm", re.ASCII)
_SHORT_ENOUGH: Final = 16
_JOB_DIGITS: Final = 12

Written = str | int | float
"""What a person writes: text in a magic, perhaps a number in Python."""


class Malformed(UserError):
    """An option's value cannot be read, or makes no sense."""

    def __init__(self, option: str, text: Written, what: str, example: str) -> None:
        """Name the option, what was written, what is wanted, and an example of it."""
        named = option if option.rstrip().endswith("=") else f"{option} "
        written = example if option.startswith("the ") else f"{named}{example}"
        super().__init__(
            f"{named}{text if text != '' else repr(text)} is no {what}; write for example {written}"
        )
        self.option = option


def parse_credits(text: Written, option: str) -> int:
    """Return micro-credits from ``20`` or ``0.5``; more than none."""
    amount = _decimal(text) * MICRO_PER_CREDIT
    if not 0 < amount <= CREDITS_MAX * MICRO_PER_CREDIT or amount != int(amount):
        what = "amount of credits above 0 with at most six digits behind the point"
        raise Malformed(option, text, what, "20")
    return int(amount)


def parse_seconds(text: Written, option: str) -> int:
    """Return seconds from ``45s``, ``10m``, ``1h30m``, ``2d``; at least one."""
    parts = re.findall(r"(\d+)([smhd])", str(text)) if _DURATION.fullmatch(str(text)) else []
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if not 0 < seconds <= SECONDS_MAX:
        raise Malformed(option, text, "duration in s, m, h or d", "10m")
    return seconds


def parse_bytes(text: Written, option: str) -> int:
    """Return bytes from ``100M`` or ``2G`` (powers of 1024); at least one."""
    match = _SIZE.fullmatch(str(text))
    size = int(Decimal(match[1]) * _BYTES[match[2].upper()]) if match else 0
    if not 0 < size <= BYTES_MAX:
        raise Malformed(option, text, "size in K, M, G or T", "2G")
    return size


def parse_ppm(text: Written, option: str) -> int:
    """Return parts per million from ``100ppm``."""
    match = _PPM.fullmatch(str(text))
    if not match or int(match[1]) > PPM_MAX:
        raise Malformed(option, text, "tolerance in parts per million", "100ppm")
    return int(match[1])


def parse_millicpus(text: Written, option: str) -> int:
    """Return thousandths of a CPU from ``1`` or ``0.5``."""
    value = _decimal(text) * 1000
    if not 1 <= value <= CPUS_MAX * 1000:
        raise Malformed(option, text, "number of CPUs", "1")
    return int(value)


def parse_count(text: Written, option: str) -> int:
    """Return a whole number of things from ``2``; none is one, too."""
    written = str(text)
    if not written.isdecimal() or not written.isascii() or int(written) > COUNT_MAX:
        raise Malformed(option, text, f"number up to {COUNT_MAX}", "2")
    return int(written)


def show_credits(micro: int) -> str:
    """Return an amount as a person reads it: ``20``, ``0.1``."""
    whole, rest = divmod(abs(micro), MICRO_PER_CREDIT)
    sign = "-" if micro < 0 else ""
    return f"{sign}{whole:,}" + (f".{rest:06d}".rstrip("0") if rest else "")


def show_loss(nano: int | None) -> str:
    """Return a loss with six digits behind the point, a small one with six significant ones."""
    if nano is None:
        return "–"
    loss = nano / NANO
    return f"{loss:.6g}" if 0 < abs(nano) < _SMALL_NANO else f"{loss:.6f}"


def show_bytes(size: int) -> str:
    """Return a size in the largest unit that leaves at least 1."""
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def show_seconds(seconds: int) -> str:
    """Return a span as ``2d03h``, ``1h05m``, ``3m20s`` or ``12s``."""
    minutes, left = divmod(max(0, seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{left:02d}s" if minutes else f"{left}s"


def short(name: str) -> str:
    """Return the head and tail of an address: enough to tell two apart."""
    return name if len(name) <= _SHORT_ENOUGH else f"{name[:8]}…{name[-4:]}"


def short_job(job: str) -> str:
    """Return the first digits of a job's id: enough to name it in a command."""
    return job[:_JOB_DIGITS]


def _decimal(text: Written) -> Decimal:
    """Return a finite number; -1, which no option takes, for anything else."""
    try:
        value = Decimal(str(text))
    except InvalidOperation:
        return Decimal(-1)
    return value if value.is_finite() else Decimal(-1)
