"""How a command that lives long begins and ends: signals stop it, and its first error is the one that is shown."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable


def live(body: Callable[[], Awaitable[None]], *, until_eof: bool = False) -> None:
    """Run ``body`` until it ends or is stopped (Ctrl-C, SIGTERM, with ``until_eof`` the end of stdin)."""
    asyncio.run(_live(body, until_eof=until_eof))


async def _live(body: Callable[[], Awaitable[None]], *, until_eof: bool) -> None:
    # The signals first: opening a long chain takes a moment, and must not be cut off half-way.
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None, "asyncio.run makes a task"
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    if until_eof:
        loop.add_reader(sys.stdin.fileno(), lambda: _cancel_at_end(task))
    try:
        await body()
    except asyncio.CancelledError:
        logging.getLogger(__name__).info("stopped")
    except BaseExceptionGroup as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that ended it, out of the groups its tasks wrapped it in."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _cancel_at_end(task: "asyncio.Task[None]") -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        task.cancel()
