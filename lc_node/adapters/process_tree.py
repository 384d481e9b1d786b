"""The memory and processor time of a process and its descendants, read from /proc: a limit without root.

It is a soft limit: between two looks a job can take more than it may, and gets it. What a job keeps in its
tmpfs folders counts as its memory, as it would in a control group; and what it may be keeping in many sockets.
"""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lc_node.adapters.cgroups import Usage

_CLOCK_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_FREE_SOCKETS: Final = 64
_SOCKET_BYTES: Final = 212_992
"""How much a socket may hold that nobody has read, ``net.core.wmem_default``: in no process, and told nowhere."""

# Fields of /proc/PID/stat after the name in parentheses, numbered from 0; proc(5).
_UTIME, _STIME, _CHILDREN_UTIME, _CHILDREN_STIME, _RSS = 11, 12, 13, 14, 21


class ProcessTree:
    """Accounts of one run, as of the last look; peaks and times never fall."""

    def __init__(self, root: int, volumes: tuple[int, ...], *, memory_bytes: int) -> None:
        """Watch the process ``root`` and the open folders ``volumes``, each the root of a tmpfs."""
        self._root = root
        self._volumes = volumes
        self._memory_bytes = memory_bytes
        self._cpu_ms = 0
        self._peak = 0
        self._out_of_memory = False

    def usage(self) -> Usage:
        """Look again; a few tens of microseconds a process."""
        pids = list(descendants(self._root))
        samples = [sample for pid in pids if (sample := sample_of(pid)) is not None]
        stored = sum(_stored(volume) for volume in self._volumes) + _sent(pids)
        memory = stored + sum(rss for _, rss in samples)
        if memory > self._memory_bytes:  # shared pages were counted once a process: look closer
            memory = stored + sum(_proportional(pid) for pid in pids)
            self._out_of_memory |= memory > self._memory_bytes
        self._peak = max(self._peak, memory)
        self._cpu_ms = max(self._cpu_ms, sum(cpu for cpu, _ in samples))
        return Usage(
            cpu_ms=self._cpu_ms,
            memory_peak_bytes=self._peak,
            out_of_memory=self._out_of_memory,
        )

    def hasten(self) -> None:
        """Nothing: without root, no process can be given more than others have."""


def descendants(root: int) -> Iterator[int]:
    """Return a process and all that come from it, as far as they live."""
    pending = [root]
    while pending:
        pid = pending.pop()
        yield pid
        with contextlib.suppress(OSError):
            for thread in (_PROC / str(pid) / "task").iterdir():
                pending += map(int, (thread / "children").read_text().split())


def sample_of(pid: int) -> tuple[int, int] | None:
    """Return processor milliseconds and resident bytes, None if the process has gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    ticks = sum(int(fields[at]) for at in (_UTIME, _STIME, _CHILDREN_UTIME, _CHILDREN_STIME))
    return ticks * 1000 // _CLOCK_TICKS, int(fields[_RSS]) * resource.getpagesize()


def _proportional(pid: int) -> int:
    """Return resident bytes, each page divided by the number of its users; resident bytes if hidden."""
    with contextlib.suppress(OSError):
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    sample = sample_of(pid)
    return 0 if sample is None else sample[1]


def _sent(pids: list[int]) -> int:
    """Return how many bytes may wait in sockets, past the number of them that any training needs.

    The newest process is in the job's network namespace, whose sockets the kernel counts; the first one is not.
    """
    if len(pids) == 1:
        return 0
    with contextlib.suppress(OSError):
        first, _, _ = (_PROC / str(pids[-1]) / "net" / "sockstat").read_text().partition("\n")
        return max(0, int(first.rpartition(" ")[2]) - _FREE_SOCKETS) * _SOCKET_BYTES
    return 0


def _stored(volume: int) -> int:
    figures = os.fstatvfs(volume)
    return (figures.f_blocks - figures.f_bfree) * figures.f_frsize
