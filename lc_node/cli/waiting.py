"""What is said while a transaction waits for a network that may have halted."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Final

import click

SILENT_SECONDS: Final = 5.0
"""A chain that goes on is done by then."""

_WAITING: Final = (
    "Waiting: not final yet; is more than two thirds of the bonded weight online? "
    "`lc-node peers` shows who is."
)
_STOPPED: Final = "No longer waiting; it may still become final, see `lc-node wallet`."


@contextmanager
def until_final(silent_seconds: float = SILENT_SECONDS) -> Iterator[None]:
    """Say on stderr, after a while, what a transaction may be waiting for; and so if it is interrupted."""
    notice = Timer(silent_seconds, click.echo, (_WAITING,), {"err": True})
    notice.daemon = True
    notice.start()
    try:
        yield
    except KeyboardInterrupt:
        click.echo(_STOPPED, err=True)
        raise
    finally:
        notice.cancel()
