"""The time of day, the power supply and the load of a Linux machine: time, /sys/class/power_supply, /proc/stat."""

import os
import time
from pathlib import Path
from typing import Final

from lc_node.adapters.process_tree import descendants, sample_of
from lc_node.worker.hours import Minute
from lc_node.worker.policy import Circumstances

WINDOW_MS: Final = 10_000
"""Over how long the load is taken: a page that loads is no reason to pause."""

_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
_IDLE, _IOWAIT, _STEAL, _GUEST = 3, 4, 7, 8
"""Fields of the first line of /proc/stat, numbered from 0; proc(5). Those of guests are counted before."""


class SystemSurroundings:
    """Looks at this machine; what it cannot tell, as in a container without /sys, is taken for undisturbed."""

    def __init__(
        self,
        *,
        supplies: Path = Path("/sys/class/power_supply"),
        stat: Path = Path("/proc/stat"),
        window_ms: int = WINDOW_MS,
    ) -> None:
        """Begin to measure the load: it is known after a first window."""
        self._supplies = supplies
        self._stat = stat
        self._window_ms = window_ms
        self._since = (*_processor_ms(stat), _own_ms())
        self._others_percent = 0

    def look(self) -> Circumstances:
        """Return how the machine fares now."""
        local = time.localtime()
        return Circumstances(
            minute=Minute(60 * local.tm_hour + local.tm_min),
            on_battery=is_on_battery(self._supplies),
            others_percent=self._measured(),
        )

    def _measured(self) -> int:
        """Return the load of the last full window, by all processes but ours and our sandboxes'."""
        all_ms, busy_ms = _processor_ms(self._stat)
        passed = all_ms - self._since[0]
        if passed >= self._window_ms * (os.cpu_count() or 1):
            own = _own_ms()
            others = busy_ms - self._since[1] - (own - self._since[2])
            self._others_percent = min(100, max(0, 100 * others // max(1, passed)))
            self._since = (all_ms, busy_ms, own)
        return self._others_percent


def is_on_battery(supplies: Path) -> bool:
    """Return whether a battery of the machine itself drains and nothing charges it."""
    try:
        folders = sorted(supplies.iterdir())
    except OSError:
        return False
    drains = any(
        _said(folder, "type") == "Battery"
        and _said(folder, "scope") != "Device"  # a mouse's
        and _said(folder, "status") == "Discharging"
        for folder in folders
    )
    return drains and not any(
        _said(folder, "type") != "Battery" and _said(folder, "online") == "1" for folder in folders
    )


def _said(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(errors="replace").strip()
    except OSError:  # not every supply says everything
        return ""


def _processor_ms(stat: Path) -> tuple[int, int]:
    """Return the time of all processors together since the start, and how much of it they were busy."""
    with stat.open() as lines:
        ticks = [int(field) for field in next(lines).split()[1:]][:_GUEST]
    passed, idle = sum(ticks), ticks[_IDLE] + ticks[_IOWAIT] + ticks[_STEAL]
    return passed * 1000 // _CLOCK_TICKS, (passed - idle) * 1000 // _CLOCK_TICKS


def _own_ms() -> int:
    """Return the processor time of this node and its sandboxes; what has ended counts with who waited for it."""
    samples = (sample_of(pid) for pid in descendants(os.getpid()))
    return sum(sample[0] for sample in samples if sample is not None)
