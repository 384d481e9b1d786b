"""Trying again at once on another machine, when the one that a run was on is gone."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from lc_node.ports.sandbox import WorkerLost

ATTEMPTS_MAX: Final = 3
"""Then it fails as anything of ours does, and is tried again after a pause."""

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


async def elsewhere(attempt: Callable[[int], Awaitable[_T]]) -> _T:
    """Return what ``attempt`` does, given 1, and after each loss of its machine the next number.

    Raises:
        WorkerLost: as many machines were lost as attempts may be made.
    """
    for number in range(1, ATTEMPTS_MAX):
        try:
            return await attempt(number)
        except WorkerLost as lost:
            _log.warning("%s; it is tried again elsewhere", lost)
    return await attempt(ATTEMPTS_MAX)
