"""What is to happen when: the virtual clock of a run."""

import heapq
from collections import deque
from collections.abc import Callable

from lc_node.chain.types import Millis


class Schedule:
    """Calls by their time; equal times in the order asked for."""

    def __init__(self, start: Millis) -> None:
        """Start at a time with nothing to do."""
        self.now = start
        self._calls: dict[Millis, deque[Callable[[], None]]] = {}
        self._times: list[Millis] = []
        """A heap of the times there are calls for: far fewer than calls, and integers compare fast."""

    def call_at(self, at: Millis, call: Callable[[], None]) -> None:
        """Call back at a time, now if it is past."""
        at = max(at, self.now)
        calls = self._calls.get(at)
        if calls is None:
            calls = self._calls[at] = deque()
            heapq.heappush(self._times, at)
        calls.append(call)

    def step(self, until: Millis) -> bool:
        """Move to the next call's time and make the call; False if it is after ``until``."""
        at = self._times[0]
        if at > until:
            return False
        calls = self._calls[at]
        self.now = at
        calls.popleft()()
        if not calls:  # the call itself may have asked for another one at once
            del self._calls[at]
            heapq.heappop(self._times)
        return True
