"""The contract of executors, kept by this machine and by a cluster of real Dask workers."""

import os
from pathlib import Path

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount
from lc_node.ports.images import ImageRefused
from lc_node.ports.sandbox import BadOutputFile, Enforced, Status
from tests.adapters.archives import END, member
from tests.adapters.jobs import MIB, all_lines
from tests.adapters.test_oci_image import Shelf
from tests.dask.conftest import until
from tests.dask.places import Place

pytestmark = pytest.mark.slow

ECHO = """
import sys
for line in sys.stdin:
    print('heard', line.strip(), flush=True)
"""
MODEL = """
import sys
with open('/lc/out/model', 'wb') as file:
    for number in range(9):
        file.write(bytes([number]) * (1 << 20))
print('written', flush=True)
sys.stdin.readline()
"""


async def test_a_place_says_what_it_enforces(place: Place) -> None:
    found = place.executor.capabilities()

    assert place.executor.problem() == ""
    assert found is not None
    assert {Enforced.NAMESPACES, Enforced.SECCOMP, Enforced.WALL_TIME} <= found.enforced


async def test_lines_go_both_ways_in_their_order(place: Place) -> None:
    async with place.start(ECHO) as run:
        for number in range(20):
            await run.write_line(b"%d" % number)
        heard = [await run.read_line() for _ in range(20)]

    assert heard == [b"heard %d" % number for number in range(20)]


async def test_a_job_that_says_more_than_is_read_ahead_loses_nothing(place: Place) -> None:
    async with place.start("for n in range(1000): print(n)") as run:
        lines = await all_lines(run)
        outcome = await run.wait()

    assert lines == [b"%d" % number for number in range(1000)]
    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 0)


async def test_inputs_are_there_and_cannot_be_written(place: Place, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(5 * MIB) + b"end")
    (tmp_path / "empty").write_bytes(b"")
    inputs = {"model": tmp_path / "large", "job.json": tmp_path / "empty"}
    code = """
data = open('/lc/in/model', 'rb').read()
print(len(data), data[-3:].decode(), len(open('/lc/in/job.json').read()))
try:
    open('/lc/in/model', 'w')
except OSError as error:
    print(type(error).__name__)
"""

    async with place.start(code, inputs=inputs) as run:
        lines = await all_lines(run)

    assert lines[0] == b"%d end 0" % (5 * MIB + 3)
    assert lines[1] in {b"OSError", b"PermissionError"}


async def test_a_file_of_several_pieces_is_taken_while_the_job_runs(
    place: Place, tmp_path: Path
) -> None:
    async with place.start(MODEL, out_bytes=16 * MIB, memory_bytes=128 * MIB) as run:
        assert await run.read_line() == b"written"
        taken = await run.take("model", tmp_path / "model", bytes_max=ByteCount(16 * MIB))
        await run.write_line(b"go on")
        outcome = await run.wait()

    written = b"".join(bytes([number]) * MIB for number in range(9))
    assert sha256(taken.path.read_bytes()) == sha256(written)
    assert (taken.size, outcome.exit_code) == (9 * MIB, 0)


async def test_what_is_no_plain_file_is_not_taken(place: Place, tmp_path: Path) -> None:
    code = "import os; os.symlink('/etc/passwd', '/lc/out/link'); print(1, flush=True); input()"
    async with place.start(code) as run:
        await run.read_line()
        for name in ("link", "../in/job.json", "missing"):
            with pytest.raises(BadOutputFile):
                await run.take(name, tmp_path / "taken", bytes_max=ByteCount(MIB))

    assert not (tmp_path / "taken").exists()


async def test_a_killed_run_says_so(place: Place) -> None:
    async with place.start(ECHO) as run:
        run.kill()

        assert await run.read_line() is None
        assert (await run.wait()).status is Status.CANCELLED


async def test_leaving_a_run_leaves_nothing_of_it(place: Place) -> None:
    marker = f"left-{os.urandom(8).hex()}"
    async with place.start(f"import os; os.fork(); {ECHO_ON_ONE_LINE}", marker) as run:
        assert await run.read_line() == b"up"
        assert pids_with(marker)

    await until(lambda: not pids_with(marker))


@pytest.mark.parametrize(
    ("code", "limits", "status"),
    [
        ("b = bytearray(300 << 20); input()", {"memory_bytes": 64 * MIB}, Status.OUT_OF_MEMORY),
        ("while True: print('x' * 1000)", {"log_bytes": MIB}, Status.OUTPUT_LIMIT),
        ("while True: pass", {"wall": 1000}, Status.TIMED_OUT),
    ],
    ids=["memory", "output", "time"],
)
async def test_a_greedy_job_is_stopped(
    place: Place, code: str, limits: dict[str, int], status: Status
) -> None:
    assert (await place.outcome(code, **limits)).status is status


async def test_a_hostile_job_sees_no_network_no_host_and_no_other_program(place: Place) -> None:
    code = """
import os, socket
print([line.partition(':')[0].strip() for line in list(open('/proc/net/dev'))[2:]])
print(sorted(os.listdir('/')))
print(len([name for name in os.listdir('/proc') if name.isdigit()]) < 4)
print([name for name in os.environ if 'DASK' in name or name in ('PATH', 'HOME', 'USER')])
try:
    socket.create_connection(('127.0.0.1', 22), 1)
except OSError as error:
    print(type(error).__name__)
"""
    async with place.start(code) as run:
        lines = await all_lines(run)

    interfaces, root, is_alone, variables, dialed = (line.decode() for line in lines)
    assert interfaces == "['lo']"
    assert "home" not in root
    assert "etc" not in root
    assert is_alone == "True"
    assert variables == "[]"
    assert dialed == "ConnectionRefusedError"


async def test_an_image_that_is_malformed_is_refused(place: Place, shelf: Shelf) -> None:
    broken = shelf.put(member("../escaped", b"x") + END)

    with pytest.raises(ImageRefused):
        await place.executor.images.prepare(broken)


ECHO_ON_ONE_LINE = "print('up', flush=True); input()"


def pids_with(marker: str) -> list[int]:
    """Return the processes whose command line has a word."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in words:
                found.append(int(folder.name))
    return found
