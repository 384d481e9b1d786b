"""How long each step of something took."""

import time


class Stopwatch:
    """Books the time between laps under the names of the steps."""

    def __init__(self) -> None:
        """Start now."""
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, step: str) -> None:
        """Book the time since the last lap."""
        now = time.perf_counter()
        self.seconds[step], self._since = round(now - self._since, 3), now
