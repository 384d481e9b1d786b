"""What a hostile job tries in any sandbox, and what it gets."""

import errno
import os
import socket
from dataclasses import replace

import pytest

from tests.adapters.jobs import LIMITS, MIB, Workshop, all_lines


async def test_there_is_no_interface_but_loopback(workshop: Workshop) -> None:
    lines = await workshop.lines(
        "print(*[line.split(':')[0].strip() for line in open('/proc/net/dev')][2:])"
    )

    assert lines == ["lo"]


async def test_a_server_of_the_host_cannot_be_reached(workshop: Workshop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        lines = await workshop.lines(f"""
import errno, socket
print(errno.errorcode[socket.socket().connect_ex(('127.0.0.1', {port}))])
""")

    assert lines == ["ECONNREFUSED"]


async def test_no_file_of_the_host_is_visible(workshop: Workshop) -> None:
    lines = await workshop.lines("import os; print(*sorted(os.listdir('/')))")

    of_the_engine = {".dockerenv", "etc", "sys"} if workshop.name == "docker" else set()
    assert set(lines[0].split()) == {
        *["canary", "dev", "lc", "lib64", "opt", "proc", "tmp"],
        *of_the_engine,
    }


async def test_no_descriptor_leads_out(workshop: Workshop) -> None:
    lines = await workshop.lines("""
import os
for name in sorted(os.listdir('/proc/self/fd'), key=int):
    try: print(name, os.readlink('/proc/self/fd/' + name).split(':')[0])
    except FileNotFoundError: print('the listing')
""")

    assert lines == ["0 pipe", "1 pipe", "2 pipe", "the listing"]


async def test_the_first_process_keeps_no_secret(workshop: Workshop) -> None:
    lines = await workshop.lines("""
for path in ('environ', 'fd', 'root', 'cwd', 'mem'):
    import os
    try: print(path, os.listdir(f'/proc/1/{path}') or open(f'/proc/1/{path}', 'rb').read())
    except OSError as error: print(path, end=' ')
    try: print(open(f'/proc/1/{path}', 'rb').read())
    except OSError as error: print(type(error).__name__)
""")

    assert not [line for line in lines if "PATH" in line or "home" in line], lines


async def test_a_job_has_no_rights_at_all(workshop: Workshop) -> None:
    lines = await workshop.lines("print(open('/proc/self/status').read())")
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert {status[kind] for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
        "0" * 16
    }
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a program that becomes root")
async def test_a_program_that_sets_its_user_id_gains_nothing(workshop: Workshop) -> None:
    argv = ("/canary", "r", "/proc/self/status")
    async with workshop.start_argv(argv, LIMITS, {}) as run:
        lines = await all_lines(run)

    assert b"Uid:\t65534\t65534\t65534\t65534" in lines


@pytest.mark.parametrize("sandbox_name", ["bubblewrap-root"])
async def test_two_runs_are_different_users_to_the_host(workshop: Workshop) -> None:
    code = "import os, sys; print(os.stat('/proc/self').st_uid, flush=True); sys.stdin.read()"
    async with workshop.start(code) as one, workshop.start(code) as two:
        await one.read_line()
        await two.read_line()
        users = {entry.stat().st_uid for entry in os.scandir("/proc") if entry.name.isdigit()}

    assert {231_100, 231_101} <= users


@pytest.mark.parametrize(
    "path",
    ["/x", "/opt/x", "/dev/x", "/dev/pts/x", "/lc/x", "/lc/in/x", "/proc/x", "/canary"],
)
async def test_nothing_but_the_two_folders_can_be_written(workshop: Workshop, path: str) -> None:
    lines = await workshop.lines(f"""
try: open({path!r}, 'w'); print('written')
except OSError as error: print('refused')
""")

    assert lines == ["refused"]


@pytest.mark.parametrize(
    "path",
    ["sys/kernel/hostname", "sys/vm/drop_caches", "sysrq-trigger", "self/oom_score_adj"],
)
async def test_the_kernels_switches_are_out_of_reach(workshop: Workshop, path: str) -> None:
    lines = await workshop.lines(f"""
try: open('/proc/{path}', 'wb', 0).write(b'-1'); print('written')
except OSError as error: print('refused')
""")

    assert lines == ["refused"]


async def test_what_tells_of_the_host_is_empty(workshop: Workshop) -> None:
    lines = await workshop.lines("print(open('/proc/cmdline').read() == '')")

    assert lines == ["True"]


async def test_shared_memory_works_and_has_an_end(workshop: Workshop) -> None:
    lines = await workshop.lines("""
import os
fd = os.open('/dev/shm/x', os.O_CREAT | os.O_RDWR)
figures = os.fstatvfs(fd)
print(os.write(fd, bytes(4096)), figures.f_blocks * figures.f_frsize)
""")

    assert lines == [f"4096 {64 * MIB}"]


async def test_a_file_cannot_grow_without_bound(workshop: Workshop) -> None:
    lines = await workshop.lines("""
try: open('/lc/out/x', 'wb').truncate(1 << 40)
except OSError as error: print(error.errno)
""")

    assert lines == [str(errno.EFBIG)]


async def test_a_program_in_a_writable_folder_does_not_run(workshop: Workshop) -> None:
    lines = await workshop.lines("""
import os, shutil
shutil.copy('/canary', '/lc/out/canary')
os.chmod('/lc/out/canary', 0o755)
try: os.execv('/lc/out/canary', ['x', 'r', '/proc/self/status'])
except PermissionError: print('refused')
""")

    assert lines == ["refused"]


async def test_zombies_do_not_pile_up(workshop: Workshop) -> None:
    code = """
import os
for _ in range(200):
    if os.fork() == 0:
        if os.fork() == 0: os._exit(0)
        os._exit(0)
    os.wait()
print('all')
"""
    async with workshop.start(code, limits=replace(LIMITS, pids=20)) as run:
        assert await run.read_line() == b"all"
