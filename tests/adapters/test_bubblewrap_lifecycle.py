"""What the bubblewrap sandbox says of a machine, and what is left of it after a crash."""

import asyncio
import json
import os
import select
import subprocess
import sys
import sysconfig
import uuid
from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_command import Bubblewrap, find_bubblewrap
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.cgroups import CgroupsUnusable, TreeV2, find_tree
from lc_node.adapters.seccomp import bpf_program, docker_profile, syscall_table
from lc_node.ports.sandbox import Enforced, SandboxUnavailable
from tests.adapters.jobs import LIMITS, Workshop, pids_with
from tests.adapters.plain_user import SOME_USER
from tests.adapters.rootfs import PYTHON

ROOT = Path(__file__).parents[2]
IN_EVERY_CASE = {
    Enforced.NAMESPACES,
    Enforced.SECCOMP,
    Enforced.PIDS,
    Enforced.DISK,
    Enforced.INODES,
    Enforced.WALL_TIME,
}
HARD = IN_EVERY_CASE | {Enforced.MEMORY_HARD, Enforced.CPU}
SOFT = IN_EVERY_CASE | {Enforced.MEMORY_SOFT}
NODE = """
import asyncio, sys
from pathlib import Path
from tests.adapters.jobs import Workshop, sandbox_called
async def main(name, owner, rootfs, marker):
    workshop = Workshop(sandbox=sandbox_called(name, owner), rootfs=Path(rootfs))
    code = "import os, signal\\nos.fork()\\nprint('up', flush=True)\\nsignal.pause()"
    async with workshop.start(code, marker) as run:
        for _ in range(2):
            print((await run.read_line()).decode(), flush=True)
        await run.wait()
asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_probe_says_what_holds_with_control_groups(owner: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("control groups need root")
    capabilities = await BubblewrapSandbox(owner).probe()

    assert capabilities.engine == "bubblewrap"
    assert capabilities.enforced == HARD


async def test_a_probe_says_what_holds_without_control_groups(owner: str) -> None:
    capabilities = await BubblewrapSandbox(owner, use_cgroups=False).probe()

    assert capabilities.enforced == SOFT


async def test_a_probe_names_the_remedy_where_bubblewrap_cannot_run(owner: str) -> None:
    broken = Bubblewrap(program="/nowhere/bwrap", version="1.0", mount=None)

    with pytest.raises(SandboxUnavailable, match="user namespaces"):
        await BubblewrapSandbox(owner, bubblewrap=broken).probe()


def test_a_user_without_rights_can_run_jobs(rootfs: Path, folder: Path) -> None:
    seen = plain_node([], rootfs, folder)

    assert seen == {
        "enforced": sorted(SOFT),
        "line": "65534 hello",
        "taken": "trained",
        "hog": "out_of_memory",
        "bomb": "timed_out",
    }


def test_a_machine_that_forbids_user_namespaces_is_told_how_to_allow_them(
    rootfs: Path, folder: Path
) -> None:
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'  # of its own namespace only
    wrapper = ["/usr/bin/unshare", "--user", "--map-root-user", "/bin/sh", "-c", forbid, "sh"]
    seen = plain_node(wrapper, rootfs, folder)

    assert "max_user_namespaces" in str(seen["unavailable"])


def plain_node(wrapper: list[str], rootfs: Path, folder: Path) -> dict[str, object]:
    """Run the node's program as a user who owns nothing, with an interpreter that every user can read."""
    home = rootfs / "opt" / "python"
    is_root = os.geteuid() == 0
    packages = sysconfig.get_path("purelib")
    folder.chmod(0o777)
    answer = subprocess.run(
        [*wrapper, f"{rootfs}{PYTHON}", "-m", "tests.adapters.plain_node", rootfs, folder],
        cwd=ROOT,
        env={"LD_LIBRARY_PATH": f"{home}/lib", "PYTHONPATH": packages},
        capture_output=True,
        timeout=30,
        check=False,
        user=SOME_USER if is_root else None,
        group=SOME_USER if is_root else None,
        extra_groups=() if is_root else None,
    )
    assert answer.returncode == 0, answer.stderr.decode()
    seen = json.loads(answer.stdout)
    assert isinstance(seen, dict)
    return seen


@pytest.mark.parametrize("sandbox_name", ["bubblewrap-root", "bubblewrap-user"])
async def test_nothing_outlives_a_node_that_is_killed(workshop: Workshop, owner: str) -> None:
    marker = uuid.uuid4().hex
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NODE, workshop.name, owner, workshop.rootfs, marker),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")},
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdout is not None
    assert [await node.stdout.readline() for _ in range(2)] == [b"up\n", b"up\n"]
    pidfds = [os.pidfd_open(pid) for pid in pids_with(marker) if pid != node.pid]

    node.kill()
    await node.wait()

    assert len(pidfds) == 4  # bubblewrap's two, the job and its child
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 5)[0]
        os.close(pidfd)


async def test_the_groups_of_an_earlier_life_are_removed(owner: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("control groups need root")
    tree = find_tree(owner, Path("/proc/self/mounts").read_text())  # noqa: ASYNC240 - a file of the kernel
    earlier = tree.make("earlier-1", LIMITS)
    sleeper = await asyncio.create_subprocess_exec("/usr/bin/sleep", "60")
    for folder in earlier.folders:
        (folder / "cgroup.procs").write_text(str(sleeper.pid))

    await BubblewrapSandbox(owner).reap()

    assert await sleeper.wait() == -9
    assert not any(folder.exists() for folder in earlier.folders)


def test_an_old_bubblewrap_of_the_system_gives_way_to_the_wheel(tmp_path: Path) -> None:
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho bubblewrap 0.7.9\n")
    old.chmod(0o755)

    assert find_bubblewrap(str(old)).mount is not None


def test_a_recent_bubblewrap_of_the_system_comes_first(tmp_path: Path) -> None:
    recent = tmp_path / "bwrap"
    recent.write_text("#!/bin/sh\necho bubblewrap 0.10.1\n")
    recent.chmod(0o755)

    assert find_bubblewrap(str(recent)) == Bubblewrap(
        program=str(recent), version="0.10.1", mount=None
    )


def test_the_system_call_filter_fits_into_the_kernel() -> None:
    assert len(bpf_program(syscall_table())) <= 8 * 4096  # BPF_MAXINSNS


def test_docker_is_told_the_same_list_of_system_calls() -> None:
    table = syscall_table()
    rules = docker_profile(table)["syscalls"]
    assert isinstance(rules, list)
    named = {name for rule in rules for name in rule["names"]}

    assert named == {
        *table.allow,
        *table.missing,
        *(call.name for call in table.allow_without_bits),
        *(call.name for call in table.allow_values),
    }


def test_no_system_call_is_in_the_table_twice() -> None:
    table = syscall_table()
    numbers = [
        *table.allow.values(),
        *table.missing.values(),
        *(call.number for call in table.allow_without_bits),
        *(call.number for call in table.allow_values),
    ]

    assert len(numbers) == len(set(numbers))


def test_a_machine_without_the_needed_controllers_has_no_control_groups() -> None:
    with pytest.raises(CgroupsUnusable, match="not mounted"):
        find_tree("owner", "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n")


def test_version_2_is_told_its_limits_in_its_own_files(tmp_path: Path) -> None:
    """The interface files of ``admin-guide/cgroup-v2.rst``, in a folder that stands for the kernel's."""
    for level in (tmp_path, tmp_path / "learningchain", tmp_path / "learningchain" / "owner"):
        level.mkdir(exist_ok=True)
        (level / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        (level / "cgroup.subtree_control").write_text("")
    tree = find_tree("owner", f"cgroup2 {tmp_path} cgroup2 rw 0 0\n")
    group = tree.make("1", LIMITS, is_background=True)
    (folder,) = group.folders
    (folder / "cpu.stat").write_text("usage_usec 2500\nuser_usec 1\n")
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    (folder / "memory.peak").write_text("4096\n")

    assert isinstance(tree, TreeV2)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert (folder / "memory.max").read_text() == str(LIMITS.memory_bytes)
    assert (folder / "pids.max").read_text() == str(LIMITS.pids + 2)
    assert (folder / "cpu.max").read_text() == "100000 100000"
    assert (folder / "cpu.weight").read_text() == "10"
    usage = group.usage()
    assert (usage.cpu_ms, usage.memory_peak_bytes, usage.out_of_memory) == (2, 4096, True)
