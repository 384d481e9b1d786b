"""The finalised jobs in the order in which they fall due."""

from bisect import bisect_left, insort
from collections.abc import Container, Iterable, Iterator
from heapq import merge

from lc_node.chain.types import JobId, Millis

DueKey = tuple[Millis, JobId]
"""When a job falls due, and which; jobs are taken in this order."""


class DueOrder:
    """A sorted list of due times that changes with the jobs it speaks of."""

    def __init__(self) -> None:
        """Start without jobs."""
        self._keys: list[DueKey] = []
        self._due: dict[JobId, Millis] = {}

    def set(self, job: JobId, due: Millis | None) -> None:
        """Say when a job falls due; None: it is gone."""
        former = self._due.pop(job, None)
        if former is not None:
            del self._keys[bisect_left(self._keys, (former, job))]
        if due is not None:
            self._due[job] = due
            insort(self._keys, (due, job))

    def merged(self, above: Iterable[DueKey], hidden: Container[JobId]) -> Iterator[DueKey]:
        """Yield due keys in order, with those of ``above`` in place of the ``hidden`` jobs' own."""
        below = (key for key in self._keys if key[1] not in hidden)
        return merge(sorted(above), below)
