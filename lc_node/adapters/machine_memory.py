"""How much memory this machine has, how much of it is taken, and by this process: /proc, as in proc(5)."""

import os
from dataclasses import dataclass
from pathlib import Path

from lc_node.adapters.process_tree import sample_of


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineMemory:
    """In bytes."""

    total: int
    used: int
    """What a new program could not have: caches can be had."""
    own: int
    """Resident in this process."""


def look_at_memory(meminfo: Path = Path("/proc/meminfo")) -> MachineMemory:
    """Look now.

    Raises:
        OSError: the kernel does not tell.
    """
    lines = (line.split() for line in meminfo.read_text().splitlines())
    kibibytes = {words[0].rstrip(":"): int(words[1]) for words in lines}
    total, free = kibibytes["MemTotal"] * 1024, kibibytes["MemAvailable"] * 1024
    sample = sample_of(os.getpid())
    return MachineMemory(total=total, used=total - free, own=0 if sample is None else sample[1])
