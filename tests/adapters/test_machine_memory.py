"""What a machine's memory is said to be."""

from pathlib import Path

import pytest

from lc_node.adapters.machine_memory import look_at_memory

MIB = 1 << 20
MEMINFO = """MemTotal:       24683108 kB
MemFree:         8438120 kB
MemAvailable:   17205348 kB
Buffers:          700000 kB
HugePages_Total:       0
"""


def test_memory_that_caches_hold_can_be_had(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(MEMINFO)

    found = look_at_memory(meminfo)

    assert (found.total, found.used) == (24683108 * 1024, (24683108 - 17205348) * 1024)


def test_what_this_process_takes_is_part_of_what_is_used() -> None:
    before = look_at_memory().own
    taken = bytearray(64 * MIB)

    assert before + 60 * MIB < look_at_memory().own < look_at_memory().used
    assert taken[-1] == 0


def test_a_kernel_that_does_not_tell_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="meminfo"):
        look_at_memory(tmp_path / "meminfo")
