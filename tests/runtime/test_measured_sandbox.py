"""Runs are counted by how they ended, however they are left."""

from pathlib import Path

import pytest

from lc_node.chain.types import ByteCount, MillisSpan, Seconds
from lc_node.ports.sandbox import Limits, RunRequest, SandboxFailed, Status
from lc_node.runtime.histogram import Histogram
from lc_node.runtime.measured_sandbox import MeasuredSandbox
from tests.fakes import Exit, Program, ScriptedRun, ScriptedSandbox

LIMITS = Limits(
    millicpus=1000,
    memory_bytes=ByteCount(1),
    pids=1,
    out_bytes=ByteCount(1),
    scratch_bytes=ByteCount(1),
    inodes=1,
    wall=MillisSpan(1),
    log_bytes=ByteCount(1),
    line_bytes=ByteCount(1),
    grace=Seconds(1),
)
REQUEST = RunRequest(
    rootfs=Path("/nowhere"), argv=("job", "train"), environment={}, inputs={}, limits=LIMITS
)


def ending(error: Exit | None) -> Program:
    async def program(_run: ScriptedRun) -> None:
        if error is not None:
            raise error

    return program


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "exited"),
        (Exit(code=3), "crashed"),
        (Exit(status=Status.OUT_OF_MEMORY), "out_of_memory"),
        (Exit(status=Status.TIMED_OUT), "timed_out"),
    ],
)
async def test_a_run_is_counted_once_by_how_it_ended(error: Exit | None, outcome: str) -> None:
    inside = ScriptedSandbox()
    inside.train = ending(error)
    measured = MeasuredSandbox(inside)

    async with measured.open(REQUEST) as run:
        assert measured.running == 1
        while await run.read_line() is not None:
            continue
        for _ in range(2):
            await run.wait()

    assert (measured.running, dict(measured.outcomes)) == (0, {outcome: 1})
    assert measured.wall_seconds.spread().total == 1.5


async def test_a_sandbox_that_fails_is_counted_too() -> None:
    inside = ScriptedSandbox()
    inside.failures = 1
    measured = MeasuredSandbox(inside)

    with pytest.raises(SandboxFailed):
        async with measured.open(REQUEST):
            pytest.fail("it cannot start")

    assert (measured.running, dict(measured.outcomes)) == (0, {"sandbox_failed": 1})


def test_observations_are_counted_at_or_below_each_bound() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        histogram.observe(value)

    spread = histogram.spread()

    assert spread.buckets == ((1.0, 2), (2.0, 3), (float("inf"), 4))
    assert spread.total == 12.0
