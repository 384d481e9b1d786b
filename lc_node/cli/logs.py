"""What the node says on stderr: a line a record, as text or as JSON; what repeats itself is held back.

Peers decide how often some things are worth a line. So each message of each logger has an allowance, and a
stranger's words can neither forge a line nor make one endless.
"""

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TextIO

from pythonjsonlogger.json import JsonFormatter

from lc_node.cli.output import printable
from lc_node.runtime.config import LogConfig

BURST: Final = 60
"""So many lines of one message come at once ..."""
REFILL_SECONDS: Final = 10.0
"""... and then one in so many seconds: some 20 MB a month and message at worst."""
MESSAGES_MAX: Final = 1_000
"""Messages with an allowance of their own; libraries may make up new ones."""
CHARACTERS_MAX: Final = 4_000
"""Of one message; the rest is cut."""

_FIELDS: Final = {"asctime": "time", "levelname": "level", "name": "logger"}


def log_to(stream: TextIO, config: LogConfig) -> None:
    """Send all records from ``config.level`` on to ``stream``, and Python's warnings, too."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Json() if config.format == "json" else _Text())
    handler.addFilter(Allowance(time.monotonic))
    logging.basicConfig(level=config.level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def log_to_stderr(config: LogConfig) -> None:
    """Do so on stderr, where a service manager or a terminal takes it."""
    log_to(sys.stderr, config)


class Allowance:
    """Lets a message pass as long as it does not come too often; says then how many were held back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Measure time by ``clock``, in seconds."""
        self._clock = clock
        self._left: dict[tuple[str, str], float] = {}
        self._at: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is to be written; the message is what it is before its arguments."""
        key, now = (record.name, str(record.msg)), self._clock()
        left = self._left.pop(key, float(BURST))
        left = min(BURST, left + (now - self._at.pop(key, now)) / REFILL_SECONDS)
        is_let = left >= 1
        self._left[key], self._at[key] = (
            left - is_let,
            now,
        )  # last in the order: used most recently
        if is_let:
            record.held_back = self._held.pop(key, 0)
        else:
            self._held[key] = self._held.get(key, 0) + 1
        if len(self._left) > MESSAGES_MAX:
            oldest = next(iter(self._left))
            for table in (self._left, self._at, self._held):
                table.pop(oldest, None)
        return is_let


class _Text(logging.Formatter):
    """For people: time, level, logger, message."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        record.message = printable(_cut(record.message))
        held = getattr(record, "held_back", 0)
        said = super().formatMessage(record)
        return f"{said} ({held} more like it were held back)" if held else said


class _Json(JsonFormatter):
    """For programs: an object a line, with the fields that the record's author named (job, peer ...)."""

    def __init__(self) -> None:
        super().__init__([*_FIELDS, "message"], rename_fields=_FIELDS)

    def formatTime(  # noqa: N802  # logging's name
        self, record: logging.LogRecord, datefmt: str | None = None
    ) -> str:
        del datefmt
        moment = datetime.fromtimestamp(record.created, tz=UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def format(self, record: logging.LogRecord) -> str:
        record.msg, record.args = _cut(record.getMessage()), None
        if not getattr(record, "held_back", 0):
            record.__dict__.pop("held_back", None)
        return super().format(record)


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS_MAX else f"{text[:CHARACTERS_MAX]} ..."
