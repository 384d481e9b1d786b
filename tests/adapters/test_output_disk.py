"""What a run puts out beside the memory: on a disk of its own, with a quota, gone with the run."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.output_disk import OUT_MEMORY_MAX, find_output_disks
from lc_node.chain.types import ByteCount
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root
from lc_node.ports.sandbox import Enforced, SandboxFailed, Status
from tests.adapters.jobs import LIMITS, MIB, Workshop, all_lines

ROOT = Path(__file__).parents[2]
OUT_BYTES = ByteCount(OUT_MEMORY_MAX + 32 * MIB)
LARGE = replace(LIMITS, out_bytes=OUT_BYTES, memory_bytes=ByteCount(48 * MIB))
"""Twice as much output as memory."""
SPEND = """
def spend(name, mib):
    with open(f"/lc/out/{name}", "wb", buffering=0) as file:
        for number in range(mib):
            file.write(bytes([number]) * 2**20)
"""
NODE = """
import asyncio, sys
from pathlib import Path
from tests.adapters.jobs import Workshop
from tests.adapters.test_output_disk import LARGE
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
async def main(owner, disks, rootfs):
    sandbox = BubblewrapSandbox(owner, disks=Path(disks))
    workshop = Workshop(sandbox=sandbox, rootfs=Path(rootfs))
    code = "import signal\\nopen('/lc/out/x', 'w').write('x')\\nprint('up', flush=True)\\nsignal.pause()"
    async with workshop.start(code, limits=LARGE) as run:
        print((await run.read_line()).decode(), flush=True)
        await run.wait()
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Path]:
    """The folder for disks; at the end nothing is left in it."""
    if os.geteuid() != 0:
        pytest.skip("mounting a disk needs root")
    folder = tmp_path / "disks"
    yield folder
    assert not folder.exists() or not list(folder.iterdir())


@pytest.fixture(params=["hard", "soft"])
def roomy(request: pytest.FixtureRequest, rootfs: Path, owner: str, disks: Path) -> Workshop:
    """A sandbox that puts large outputs on a disk, with and without control groups."""
    sandbox = BubblewrapSandbox(owner, use_cgroups=request.param == "hard", disks=disks)
    return Workshop(sandbox=sandbox, rootfs=rootfs)


async def test_a_model_larger_than_the_memory_of_its_run_is_taken(
    roomy: Workshop, tmp_path: Path
) -> None:
    code = f"{SPEND}\nspend('model', 80)\nprint('written', flush=True)\ninput()"
    async with roomy.start(code, limits=LARGE) as run:
        assert await run.read_line() == b"written"

        taken = await run.take("model", tmp_path / "model", bytes_max=OUT_BYTES)

        await run.write_line(b"go on")
        outcome = await run.wait()
    data = b"".join(bytes([number]) * MIB for number in range(80))
    chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    assert outcome.status is Status.EXITED, outcome.log_tail
    assert outcome.memory_peak_bytes <= LARGE.memory_bytes
    assert taken.digest == chunk_root([chunk_digest(chunk) for chunk in chunks])
    assert taken.path.read_bytes() == data


async def test_many_files_fill_the_quota_and_no_more(roomy: Workshop) -> None:
    code = f"""{SPEND}
import errno, os
number = 0
try:
    while True:
        spend(str(number), 8)
        number += 1
except OSError as error:
    print(errno.errorcode[error.errno])
print(sum(os.stat(f"/lc/out/{{name}}").st_blocks * 512 for name in os.listdir("/lc/out")))
"""
    async with roomy.start(code, limits=LARGE) as run:
        why, used = await all_lines(run)

    assert why == b"ENOSPC"
    assert OUT_BYTES <= int(used) <= OUT_BYTES * 1.05


async def test_files_are_counted(roomy: Workshop) -> None:
    code = """
import errno
number = 0
try:
    while number < 1000:
        open(f"/lc/out/{number}", "w").close()
        number += 1
except OSError as error:
    print(errno.errorcode[error.errno], number)
"""
    async with roomy.start(code, limits=LARGE) as run:
        (line,) = await all_lines(run)

    why, number = line.split()
    assert why == b"ENOSPC"
    assert (
        LARGE.inodes - 2 <= int(number) <= LARGE.inodes + 16
    )  # ext4 rounds up to a block of inodes


async def test_nothing_runs_from_the_disk_and_no_device_opens(roomy: Workshop) -> None:
    code = """
for line in open("/proc/self/mounts"):
    device, place, kind, options, *_ = line.split()
    if place == "/lc/out":
        print(kind, *sorted({"nosuid", "nodev", "noexec"} & set(options.split(","))))
import os
print(os.listdir("/lc/out"), os.stat("/lc/out").st_uid == os.getuid())
"""
    async with roomy.start(code, limits=LARGE) as run:
        lines = await all_lines(run)

    assert lines == [b"ext4 nodev noexec nosuid", b"[] True"]


async def test_two_runs_at_once_have_a_disk_each(roomy: Workshop) -> None:
    code = "open('/lc/out/mine', 'x').close()\nprint('made', flush=True)\ninput()"
    async with (
        roomy.start(code, limits=LARGE) as one,
        roomy.start(code, limits=LARGE) as other,
    ):
        assert await one.read_line() == b"made"
        assert await other.read_line() == b"made"


async def test_a_small_output_stays_in_memory(roomy: Workshop) -> None:
    code = "print(*(line.split()[2] for line in open('/proc/self/mounts') if ' /lc/out ' in line))"
    limits = replace(LARGE, out_bytes=OUT_MEMORY_MAX)
    async with roomy.start(code, limits=limits) as run:
        assert await all_lines(run) == [b"tmpfs"]


async def test_a_run_without_room_on_the_host_does_not_begin(roomy: Workshop) -> None:
    limits = replace(LARGE, out_bytes=ByteCount(10**15))

    with pytest.raises(SandboxFailed, match="make room on that disk"):
        async with roomy.start("", limits=limits):
            pass


async def test_a_disk_goes_with_a_node_that_is_killed(
    owner: str, disks: Path, rootfs: Path
) -> None:
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NODE, owner, disks, rootfs),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdout is not None
    assert await node.stdout.readline() == b"up\n"
    assert loop_devices(disks) == 1

    node.kill()
    await node.wait()

    async with asyncio.timeout(10):
        while loop_devices(disks):  # noqa: ASYNC110  # the kernel tells nobody
            await asyncio.sleep(0.01)


async def test_what_an_earlier_life_made_and_did_not_use_is_removed(
    owner: str, disks: Path
) -> None:
    made = find_output_disks(disks)
    assert made is not None
    made.make(LARGE, 1)

    await BubblewrapSandbox(owner, disks=disks).reap()

    assert names_in(disks) == []


async def test_a_probe_says_whether_large_outputs_lie_on_a_disk(owner: str, disks: Path) -> None:
    with_disks = await BubblewrapSandbox(owner, disks=disks).probe()
    without = await BubblewrapSandbox(owner).probe()

    assert Enforced.OUT_ON_DISK in with_disks.enforced
    assert Enforced.OUT_ON_DISK not in without.enforced


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def loop_devices(folder: Path) -> int:
    """Return how many loop devices are made of files of a folder."""
    backing = Path("/sys/block").glob("loop*/loop/backing_file")
    count = 0
    for path in backing:
        with contextlib.suppress(OSError):  # a device that others set free meanwhile
            count += str(folder) in path.read_text()
    return count
