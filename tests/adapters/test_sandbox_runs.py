"""What a job may do in any sandbox, and where it ends."""

import asyncio
import hashlib
import os
import select
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import BadOutputFile, SandboxFailed, Status
from tests.adapters.jobs import LIMITS, MIB, Workshop, all_lines, pids_with
from tests.adapters.rootfs import ENVIRONMENT

WAIT_FOR_EVER = "import sys; print('up', flush=True); sys.stdin.read()"


async def test_lines_go_both_ways(workshop: Workshop) -> None:
    async with workshop.start("while True: print(input().upper(), flush=True)") as run:
        for word in ("one", "two", "three"):
            await run.write_line(word.encode())
            assert await run.read_line() == word.upper().encode()


async def test_the_environment_is_what_was_asked_for(workshop: Workshop) -> None:
    lines = await workshop.lines("import os; print(*sorted(os.environ), sep='\\n')")

    assert set(lines) - {"LC_CTYPE", "PWD"} == set(ENVIRONMENT)


async def test_inputs_are_there_under_their_names(workshop: Workshop, folder: Path) -> None:
    (folder / "a").write_text("hidden")

    lines = await workshop.lines(
        "print(open('/lc/in/hidden/x').read())", {"hidden/x": folder / "a"}
    )

    assert lines == ["hidden"]


async def test_an_input_cannot_be_written(workshop: Workshop, folder: Path) -> None:
    (folder / "a").write_text("mine")
    (folder / "a").chmod(0o666)

    lines = await workshop.lines(
        "try: open('/lc/in/a', 'w')\nexcept OSError as e: print(e.strerror)", {"a": folder / "a"}
    )

    assert lines == ["Read-only file system"]


@pytest.mark.parametrize("name", ["../a", "/a", "a/../b", "", "a//b", "a\0b"])
async def test_an_input_with_an_unsafe_name_is_refused(
    workshop: Workshop, folder: Path, name: str
) -> None:
    with pytest.raises(SandboxFailed):
        async with workshop.start("", inputs={name: folder}):
            pytest.fail("it was started")


async def test_the_exit_code_is_told(workshop: Workshop) -> None:
    outcome = await workshop.outcome("raise SystemExit(7)")

    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 7)


async def test_the_end_of_the_log_is_told_without_what_moves_cursors(workshop: Workshop) -> None:
    outcome = await workshop.outcome(
        "import sys; print('x' * 9000, 'a\\x1b[2Jb\\u202ec', file=sys.stderr)"
    )

    assert outcome.log_tail.endswith("x a[2Jbc\n")
    assert len(outcome.log_tail) < 8 * 1024


async def test_a_program_that_is_not_there_is_the_images_fault(workshop: Workshop) -> None:
    async with workshop.start_argv(("/nothing",), LIMITS, {}) as run:
        outcome = await run.wait()

    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 127)
    assert "/nothing" in outcome.log_tail


async def test_a_root_that_is_not_there_is_our_fault(workshop: Workshop) -> None:
    lost = replace(workshop, rootfs=workshop.rootfs / "nowhere")

    with pytest.raises(SandboxFailed, match="nowhere"):
        async with lost.start(""):
            pytest.fail("it was started")


async def test_a_run_ends_at_its_wall_time(workshop: Workshop) -> None:
    outcome = await workshop.outcome("while True: pass", wall=300)

    assert outcome.status is Status.TIMED_OUT
    assert 300 <= outcome.wall < LIMITS.wall


async def test_a_killed_run_is_cancelled(workshop: Workshop) -> None:
    async with workshop.start(WAIT_FOR_EVER) as run:
        await run.read_line()
        run.kill()
        outcome = await run.wait()

    assert outcome.status is Status.CANCELLED


async def test_a_job_that_takes_too_much_memory_is_ended(workshop: Workshop) -> None:
    outcome = await workshop.outcome("b = bytearray(200 << 20); input()", memory_bytes=64 * MIB)

    assert outcome.status is Status.OUT_OF_MEMORY


async def test_a_run_ends_when_a_child_of_the_job_takes_too_much_memory(
    workshop: Workshop,
) -> None:
    outcome = await workshop.outcome(
        "import os\nif os.fork(): os.wait(); input()\nb = bytearray(200 << 20); input()",
        memory_bytes=64 * MIB,
    )

    assert outcome.status is Status.OUT_OF_MEMORY


async def test_what_a_job_stores_in_its_folders_counts_as_its_memory(workshop: Workshop) -> None:
    outcome = await workshop.outcome(
        "import os\nf = open('/lc/out/x', 'wb')\nwhile True: f.write(bytes(1 << 20))",
        memory_bytes=48 * MIB,
        out_bytes=128 * MIB,
    )

    assert outcome.status is Status.OUT_OF_MEMORY


async def test_a_fork_bomb_is_refused_more_processes(workshop: Workshop) -> None:
    bomb = """
import os, time
def grow():
    try:
        while True:
            if os.fork() == 0: grow()
    except OSError as error:
        os.write(1, b'%d\\n' % error.errno)
        time.sleep(60)
grow()
"""
    async with workshop.start(bomb, limits=replace(LIMITS, pids=20)) as run:
        assert await run.read_line() == b"11"
        run.kill()
        outcome = await run.wait()

    assert outcome.status is Status.CANCELLED


@pytest.mark.parametrize(("place", "size"), [("/lc/out", 8 * MIB), ("/tmp", 4 * MIB)])  # noqa: S108 - the job's
async def test_a_folder_is_full_at_its_size(workshop: Workshop, place: str, size: int) -> None:
    lines = await workshop.lines(f"""
import os
fd = os.open('{place}/x', os.O_CREAT | os.O_WRONLY)
n = 0
try:
    while True: n += os.write(fd, bytes(65536))
except OSError as error: print(error.errno, n)
""")

    assert lines == [f"28 {size}"]


@pytest.mark.parametrize("place", ["/lc/out", "/tmp"])  # noqa: S108 - the job's
async def test_a_folder_takes_only_so_many_files(workshop: Workshop, place: str) -> None:
    lines = await workshop.lines(f"""
n = 0
try:
    while n < 1000: open(f'{place}/{{n}}', 'w').close(); n += 1
except OSError as error: print(error.errno, n)
""")

    assert lines == ["28 63"]  # the folder itself is the 64th


@pytest.mark.parametrize("stream", [1, 2])
async def test_a_flood_of_output_ends_the_run(workshop: Workshop, stream: int) -> None:
    outcome = await workshop.outcome(
        f"import os\nwhile True: os.write({stream}, b'a\\n' * 2048)", log_bytes=100_000
    )

    assert outcome.status is Status.OUTPUT_LIMIT


async def test_a_line_without_end_ends_the_run(workshop: Workshop) -> None:
    outcome = await workshop.outcome("import os\nwhile True: os.write(1, b'a' * 1000)")

    assert outcome.status is Status.OUTPUT_LIMIT


async def test_a_line_of_the_longest_size_is_welcome(workshop: Workshop) -> None:
    lines = await workshop.lines("print('a' * 4096)")

    assert lines == ["a" * 4096]


async def test_a_job_that_reads_no_answers_is_no_trouble(workshop: Workshop) -> None:
    async with workshop.start("import os; os.close(0); print('closed', flush=True)") as run:
        assert await run.read_line() == b"closed"
        for _ in range(4):
            await run.write_line(b"x" * 60_000)
        assert (await run.wait()).status is Status.EXITED


async def test_two_runs_go_on_at_the_same_time(workshop: Workshop) -> None:
    async with workshop.start(WAIT_FOR_EVER) as one, workshop.start(WAIT_FOR_EVER) as two:
        assert await one.read_line() == b"up"
        assert await two.read_line() == b"up"


async def test_two_runs_do_not_see_each_other(workshop: Workshop) -> None:
    async with workshop.start(WAIT_FOR_EVER) as other:
        await other.read_line()
        lines = await workshop.lines(
            "import os; print(len([n for n in os.listdir('/proc') if n.isdigit()]))"
        )

    assert lines == ["2"]  # bubblewrap's first process and the job


async def test_nothing_is_left_when_the_context_is_left(workshop: Workshop) -> None:
    marker = uuid.uuid4().hex
    daemon = "import os, sys\nif os.fork(): os._exit(0)\nos.setsid(); print('up', flush=True); sys.stdin.read()"
    async with workshop.start(f"{WAIT_FOR_EVER}\n{daemon}", marker) as run:
        await run.read_line()
        pidfds = [os.pidfd_open(pid) for pid in pids_with(marker)]

    assert pidfds
    assert len(select.select(pidfds, [], [], 0)[0]) == len(pidfds)
    for pidfd in pidfds:
        os.close(pidfd)


async def test_a_cancelled_reader_leaves_nothing_behind(workshop: Workshop) -> None:
    marker = uuid.uuid4().hex
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), workshop.start(WAIT_FOR_EVER, marker) as run:
            await all_lines(run)

    assert pids_with(marker) == []


async def test_a_file_is_taken_while_the_job_runs(workshop: Workshop, folder: Path) -> None:
    code = f"open('/lc/out/model', 'wb').write(b'm' * 100000)\n{WAIT_FOR_EVER}"
    async with workshop.start(code) as run:
        await run.read_line()
        taken = await run.take("model", folder / "model", bytes_max=ByteCount(100_000))

    assert taken.size == 100_000
    assert taken.digest == hashlib.sha256(b"m" * 100_000).digest()
    assert (folder / "model").read_bytes() == b"m" * 100_000


async def test_a_file_is_taken_after_the_job_has_ended(workshop: Workshop, folder: Path) -> None:
    async with workshop.start("open('/lc/out/model', 'w').write('late')") as run:
        await run.wait()
        taken = await run.take("model", folder / "model", bytes_max=ByteCount(100))

    assert taken.path.read_text() == "late"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("link", "os.symlink('/etc/hostname', 'link')"),
        ("dangling", "os.symlink('/proc/self/mem', 'dangling')"),
        ("fifo", "os.mkfifo('fifo')"),
        ("large", "open('large', 'wb').write(bytes(70000))"),
        ("sparse", "open('sparse', 'wb').truncate(4 << 20)"),
        ("folder", "os.mkdir('folder')"),
        ("socket", "import socket; socket.socket(socket.AF_UNIX).bind('socket')"),
        ("../in/x", ""),
        ("/etc/hostname", ""),
        ("through/hostname", "os.symlink('/etc', 'through')"),
        ("missing", ""),
        ("", ""),
    ],
)
async def test_a_file_that_is_not_plain_is_not_taken(
    workshop: Workshop, folder: Path, name: str, code: str
) -> None:
    script = f"import os; os.chdir('/lc/out'); {code}"
    async with workshop.start(script) as run:
        assert (await run.wait()).exit_code == 0
        with pytest.raises(BadOutputFile):
            await run.take(name, folder / "taken", bytes_max=ByteCount(65_536))

    assert not (folder / "taken").exists()


@pytest.mark.parametrize("sandbox_name", ["bubblewrap-root", "bubblewrap-user"])
async def test_a_file_of_two_names_is_not_taken_where_that_can_be_seen(
    workshop: Workshop, folder: Path
) -> None:
    """Both names lie in the run's own folder: an engine, which does not count names, gives nothing away."""
    script = "import os; os.chdir('/lc/out'); open('one', 'w').close(); os.link('one', 'two')"
    async with workshop.start(script) as run:
        await run.wait()
        with pytest.raises(BadOutputFile):
            await run.take("two", folder / "taken", bytes_max=ByteCount(100))
