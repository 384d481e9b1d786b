"""Jobs that will not end, hold their breath, or take more of the processors than is theirs."""

import asyncio
import os
import select
import time
import uuid

import pytest

from lc_node.chain.types import MillisSpan
from lc_node.ports.sandbox import Status
from tests.adapters.attacks import verdict, verdict_seconds_max
from tests.adapters.jobs import Workshop, pids_with

CLINGING = {
    "spins": "while True: pass",
    "spins in many processes": "[os.fork() for _ in range(4)]\nwhile True: pass",
    "ignores every signal": """
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True: time.sleep(1)
""",
    "blocks every signal": "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(60)",
    "stops itself": "os.kill(os.getpid(), signal.SIGSTOP)",
    "stops its children": """
for _ in range(8):
    child = os.fork()
    if child == 0: time.sleep(60)
    os.kill(child, signal.SIGSTOP)
time.sleep(60)
""",
    "waits for a child that never runs": """
if call(58) == 'allowed': time.sleep(60)
""",
    "leads a session of its own": """
if os.fork(): os._exit(0) if False else time.sleep(60)
os.setsid()
if os.fork(): os._exit(0)
time.sleep(60)
""",
    "closes everything": "os.closerange(0, 1024)\ntime.sleep(60)",
    "reads what nobody writes": "sys.stdin.read()",
    "reads a FIFO that nobody writes": "os.mkfifo('/tmp/f'); open('/tmp/f')",
    "handles its own crashes": """
signal.signal(signal.SIGSEGV, lambda *_: None)
ctypes.string_at(0)
""",
    "holds a lock": "fcntl.flock(open('/canary', 'rb'), fcntl.LOCK_EX); time.sleep(60)",
    "writes to disk without end": """
while True:
    with open('/lc/out/x', 'wb') as file: file.write(bytes(1 << 22)); os.fsync(file.fileno())
""",
}


@pytest.mark.parametrize("name", CLINGING)
async def test_a_job_that_clings_to_life_ends_at_its_wall_time(
    workshop: Workshop, name: str
) -> None:
    marker = uuid.uuid4().hex
    outcome, _ = await verdict(workshop, CLINGING[name], marker, wall=MillisSpan(800))

    assert outcome.status is Status.TIMED_OUT
    assert pids_with(marker) == []


LEAVING = {
    "a daemon": "os.setsid()",
    "many daemons": "[os.fork() and os.setsid() for _ in range(3)]",
    "one that ignores its parent's end": "signal.signal(signal.SIGHUP, signal.SIG_IGN); libc.prctl(1, 0)",
    "one that keeps the pipes": "os.dup2(1, 100); os.dup2(2, 101)",
}


@pytest.mark.parametrize("name", LEAVING)
async def test_what_a_job_leaves_behind_ends_with_it(workshop: Workshop, name: str) -> None:
    """Its first process exits at once; whatever else it began must not hold the verdict up."""
    marker = uuid.uuid4().hex
    code = f"print('now', flush=True)\nif os.fork():\n    os._exit(7)\n{LEAVING[name]}\ntime.sleep(60)"
    outcome, _ = await verdict(workshop, code, marker)

    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 7)
    assert pids_with(marker) == []


async def test_a_killed_job_is_gone_at_once_whatever_it_does(workshop: Workshop) -> None:
    code = """
import os, signal, time
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
for _ in range(20):
    if os.fork() == 0: break
print('up', flush=True)
while True: pass
"""
    marker = uuid.uuid4().hex
    async with workshop.start(code, marker) as run:
        for _ in range(21):
            assert await run.read_line() == b"up"
        pidfds = [os.pidfd_open(pid) for pid in pids_with(marker)]
        began = time.monotonic()
        run.kill()
        outcome = await run.wait()
        late = time.monotonic() - began
    gone = select.select(pidfds, [], [], 0)[0]
    for pidfd in pidfds:
        os.close(pidfd)

    assert outcome.status is Status.CANCELLED
    assert late < verdict_seconds_max()
    assert len(gone) == len(pidfds) > 20


async def test_an_answer_that_nobody_reads_does_not_hold_the_verdict_up(
    workshop: Workshop,
) -> None:
    """The job never reads its stdin, and the node has more to say than the pipe holds."""
    async with (
        asyncio.timeout(20),
        workshop.start("import time; print('up', flush=True); time.sleep(60)") as run,
    ):
        assert await run.read_line() == b"up"
        async with asyncio.TaskGroup() as group:
            group.create_task(run.write_line(b"x" * (1 << 20)))
            await asyncio.sleep(0)
            run.kill()
            outcome = await run.wait()

    assert outcome.status is Status.CANCELLED


@pytest.mark.parametrize("sandbox_name", ["bubblewrap-root"])
@pytest.mark.parametrize("processes", [1, 8])
async def test_a_job_gets_no_more_of_the_processors_than_its_share(
    workshop: Workshop, processes: int
) -> None:
    """Half a processor for a second and a half. Without control groups nothing holds the rate, only the total."""
    code = f"[os.fork() for _ in range({processes.bit_length() - 1})]\nwhile True: pass"
    outcome, _ = await verdict(workshop, code, wall=MillisSpan(1500), millicpus=500)

    assert outcome.cpu <= 1500 * 0.5 * 1.4


async def test_one_process_computes_no_longer_than_all_may(workshop: Workshop) -> None:
    """The last line of defence, should the node be stopped itself: the kernel counts."""
    outcome, lines = await verdict(
        workshop, "print(resource.getrlimit(resource.RLIMIT_CPU))", wall=MillisSpan(3000)
    )

    assert outcome.status is Status.EXITED
    assert lines == [b"(4, 4)"]
