"""Who comes first on a busy processor: runs in the foreground, such as evaluations."""

from itertools import pairwise

import pytest

from tests.adapters.jobs import Workshop, all_lines

_ON_ONE_PROCESSOR = """
import os, sys, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
def tell():
    print(time.monotonic(), time.process_time(), flush=True)
"""

BURN_ON = f"""{_ON_ONE_PROCESSOR}
tell()
while True:
    before = time.process_time()
    while time.process_time() < before + 0.005: pass
    tell()
"""
"""Tells every 5 ms of processor time when it is, and how much of it was used."""

BURN_HALF_A_SECOND = f"""{_ON_ONE_PROCESSOR}
tell()
before = time.process_time()
while time.process_time() < before + 0.5: pass
tell()
"""


def told(line: bytes | None) -> tuple[float, float]:
    assert line is not None
    moment, used = line.split()
    return float(moment), float(used)


# Without control groups each session may be a group of its own for the kernel, which voids niceness.
@pytest.mark.parametrize("sandbox_name", ["bubblewrap-root"])
async def test_on_one_processor_the_foreground_gets_most(workshop: Workshop) -> None:
    async with workshop.start(BURN_ON, is_background=True) as background:
        looks = [told(await background.read_line())]
        async with workshop.start(BURN_HALF_A_SECOND) as foreground:
            (begin, _), (end, _) = map(told, await all_lines(foreground))
        while looks[-1][0] < end:
            looks.append(told(await background.read_line()))

    meanwhile = [b[1] - a[1] for a, b in pairwise(looks) if a[0] >= begin and b[0] <= end]
    assert sum(meanwhile) < 0.25  # a fair half would be 0.5, a tenth 0.05


async def test_a_run_in_the_background_is_nice(workshop: Workshop) -> None:
    async with workshop.start("import os; print(os.nice(0))", is_background=True) as run:
        assert await all_lines(run) == [b"10"]

    assert await workshop.lines("import os; print(os.nice(0))") == ["0"]
