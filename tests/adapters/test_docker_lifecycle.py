"""What the docker sandbox says of an engine, what it gives it to read, and what is left after a crash."""

import asyncio
import os
import select
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from lc_node.adapters.docker_engine import LIFE_LABEL, OWNER_LABEL
from lc_node.adapters.docker_sandbox import DockerSandbox
from lc_node.adapters.docker_tree import Skeleton, image_archive, lay_out
from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import (
    Enforced,
    Outcome,
    RunRequest,
    SandboxFailed,
    SandboxUnavailable,
    Status,
)
from tests.adapters.jobs import LIMITS, Workshop, all_lines, docker_host, pids_with
from tests.adapters.rootfs import ENVIRONMENT

ROOT = Path(__file__).parents[2]
WAIT_FOR_EVER = "import sys; print('up', flush=True); sys.stdin.read()"
NODE = """
import asyncio, sys
from pathlib import Path
from tests.adapters.jobs import Workshop, sandbox_called
async def main(owner, rootfs, marker):
    workshop = Workshop(sandbox=sandbox_called("docker", owner), rootfs=Path(rootfs))
    code = "import os, signal\\nos.fork()\\nprint('up', flush=True)\\nsignal.pause()"
    async with workshop.start(code, marker) as run:
        for _ in range(2):
            print((await run.read_line()).decode(), flush=True)
        await run.wait()
asyncio.run(main(*sys.argv[1:]))
"""

LOOK = """
import os
print(open('/etc/settings').read(), open('/note').read(), sep='\\n')
print(os.readlink('/bin'), os.environ['PATH'], sep='\\n')
"""

pytestmark = pytest.mark.parametrize("sandbox_name", ["docker"])


@pytest.fixture
def engine() -> Iterator[docker.APIClient]:
    """The engine's own API, for a second opinion."""
    client = docker.APIClient(base_url=docker_host(), version="auto")
    yield client
    client.close()


def containers_of(engine: docker.APIClient, owner: str) -> list[str]:
    found = engine.containers(all=True, filters={"label": f"{OWNER_LABEL}={owner}"})
    return [one["Id"] for one in found]


async def test_a_probe_says_what_holds(workshop: Workshop) -> None:
    capabilities = await workshop.sandbox.probe()

    assert capabilities.engine == "docker"
    assert capabilities.enforced == {
        Enforced.NAMESPACES,
        Enforced.SECCOMP,
        Enforced.MEMORY_HARD,
        Enforced.CPU,
        Enforced.PIDS,
        Enforced.DISK,
        Enforced.INODES,
        Enforced.WALL_TIME,
    }


async def test_a_probe_of_a_runtime_that_the_engine_has_not_fails(
    workshop: Workshop, owner: str
) -> None:
    assert workshop.name == "docker"
    with pytest.raises(SandboxUnavailable, match="nosuch"):
        await DockerSandbox(owner, host=docker_host(), runtime="nosuch").probe()


async def test_nothing_is_left_of_runs(
    workshop: Workshop, owner: str, engine: docker.APIClient
) -> None:
    volumes = {one["Name"] for one in engine.volumes()["Volumes"] or ()}
    await workshop.outcome("")
    async with workshop.start(WAIT_FOR_EVER) as run:
        await run.read_line()
        (container,) = containers_of(engine, owner)
        mounts = engine.inspect_container(container)["Mounts"]
        ours = {mount["Name"] for mount in mounts if mount["Type"] == "volume"}

    assert containers_of(engine, owner) == []
    assert len(ours - volumes) == 1
    assert not ours & {one["Name"] for one in engine.volumes()["Volumes"] or ()}


async def test_the_engine_is_told_every_limit(
    workshop: Workshop, owner: str, engine: docker.APIClient
) -> None:
    """What ``docker-bench-security`` asks of a container, in its section 5."""
    async with workshop.start(WAIT_FOR_EVER):
        (container,) = containers_of(engine, owner)
        seen = engine.inspect_container(container)
    config = seen["HostConfig"]

    assert seen["Config"]["User"] == "65534:65534"
    assert seen["Config"]["Tty"] is False
    assert config["NetworkMode"] == "none"
    assert config["CapDrop"] == ["ALL"]
    assert config["CapAdd"] is None
    assert config["Privileged"] is False
    assert config["ReadonlyRootfs"] is True
    assert config["Memory"] == config["MemorySwap"] == LIMITS.memory_bytes
    assert config["NanoCpus"] == 10**9
    assert config["PidsLimit"] == LIMITS.pids + 2
    assert config["IpcMode"] == "none"
    assert config["PidMode"] == config["UTSMode"] == ""
    assert not config["Devices"]
    assert config["LogConfig"]["Type"] == "none"
    assert config["SecurityOpt"][0] == "no-new-privileges:true"
    assert not any(m["RW"] for m in seen["Mounts"] if m["Destination"] != "/lc/out")


async def test_an_engine_that_was_tidied_up_gets_the_image_again(
    workshop: Workshop, folder: Path, owner: str, engine: docker.APIClient
) -> None:
    """``docker image prune`` removes images without a name."""
    root = folder / "rootfs"
    shutil.copytree(workshop.rootfs, root, symlinks=True, copy_function=os.link)
    (root / uuid.uuid4().hex).symlink_to("opt")  # an image of ours that no other test uses
    own = replace(workshop, rootfs=root)
    async with own.start(WAIT_FOR_EVER):
        (container,) = containers_of(engine, owner)
        image = engine.inspect_container(container)["Image"]
    engine.remove_image(image)

    assert (await own.outcome("raise SystemExit(3)")).exit_code == 3


async def test_a_job_that_was_cancelled_while_it_began_is_gone(
    workshop: Workshop, owner: str, engine: docker.APIClient
) -> None:
    await workshop.outcome("")  # the image of ours is there
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), workshop.start(WAIT_FOR_EVER):
            await asyncio.sleep(60)

    assert containers_of(engine, owner) == []


async def test_no_process_outlives_a_node_that_is_killed_and_the_next_life_tidies_up(
    workshop: Workshop, owner: str, engine: docker.APIClient
) -> None:
    marker = uuid.uuid4().hex
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", NODE, owner, workshop.rootfs, marker),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdout is not None
    assert [await node.stdout.readline() for _ in range(2)] == [b"up\n", b"up\n"]
    pidfds = [os.pidfd_open(pid) for pid in pids_with(marker) if pid != node.pid]

    node.kill()
    await node.wait()

    assert len(pidfds) == 3  # the first process, the job and its child
    for pidfd in pidfds:
        assert select.select([pidfd], [], [], 10)[0]
        os.close(pidfd)
    assert len(containers_of(engine, owner)) == 1
    await workshop.sandbox.reap()
    assert containers_of(engine, owner) == []


async def test_a_node_leaves_the_runs_of_its_own_life_and_of_others(
    workshop: Workshop, owner: str, engine: docker.APIClient
) -> None:
    async with workshop.start(WAIT_FOR_EVER) as run:
        await run.read_line()
        await workshop.sandbox.reap()
        await DockerSandbox(f"{owner}-other", host=docker_host()).reap()
        (container,) = containers_of(engine, owner)
        labels = engine.inspect_container(container)["Config"]["Labels"]

    assert set(labels) == {OWNER_LABEL, LIFE_LABEL}


async def test_a_container_that_somebody_else_kills_is_not_the_jobs_fault(
    workshop: Workshop, owner: str, engine: docker.APIClient
) -> None:
    async with workshop.start(WAIT_FOR_EVER) as run:
        await run.read_line()
        engine.kill(containers_of(engine, owner)[0])

        with pytest.raises(SandboxFailed, match="lost"):
            await run.wait()


async def test_a_job_cannot_end_or_read_the_first_process(workshop: Workshop) -> None:
    lines = await workshop.lines("""
import os, signal
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGUSR1, signal.SIGSEGV):
    os.kill(1, number)
for name in ('mem', 'environ', 'maps', 'fd/0', 'auxv'):
    try: open('/proc/1/' + name, 'rb').read(1); print('read', name)
    except OSError as error: print(error.strerror)
""")

    assert lines == ["Permission denied"] * 5


async def test_what_looks_like_a_report_is_not_believed(workshop: Workshop) -> None:
    code = """
import os, sys
for stream in (1, 2):
    os.write(stream, bytes(16) + bytes(4))
print('still here', flush=True)
raise SystemExit(7)
"""
    async with workshop.start(code) as run:
        lines = await all_lines(run)
        outcome = await run.wait()

    assert lines == [bytes(20) + b"still here"]
    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 7)


async def test_an_image_with_links_and_settings_of_its_own_looks_as_it_was_made(
    workshop: Workshop, folder: Path
) -> None:
    root = folder / "rootfs"
    shutil.copytree(workshop.rootfs, root, symlinks=True, copy_function=os.link)
    (root / "etc").mkdir()
    (root / "etc" / "settings").write_text("mine")
    (root / "etc" / "resolv.conf").symlink_to("/run/elsewhere")
    (root / "bin").symlink_to("opt/python/bin")
    (root / "note").write_text("at the top")
    request = RunRequest(
        rootfs=root,
        argv=("python3", "-S", "-c", LOOK),
        environment={**ENVIRONMENT, "PATH": "/nowhere:/bin", "PYTHONHOME": "/opt/python"},
        inputs={},
        limits=LIMITS,
    )
    async with workshop.sandbox.open(request) as run:
        lines = await all_lines(run)
        outcome = await run.wait()

    assert outcome.exit_code == 0, outcome.log_tail
    assert lines == [b"mine", b"at the top", b"opt/python/bin", b"/nowhere:/bin"]


def test_the_image_of_ours_is_the_same_for_the_same_skeleton(
    rootfs: Path, sandbox_name: str
) -> None:
    assert sandbox_name
    assert image_archive(lay_out(rootfs).skeleton) == image_archive(lay_out(rootfs).skeleton)


def test_the_engine_is_given_no_byte_of_a_strangers_file(folder: Path, sandbox_name: str) -> None:
    assert sandbox_name
    for name in ("usr", "etc", "lc/work"):
        (folder / name).mkdir(parents=True)
    for name in ("usr/file", "etc/file", "lc/work/file", "file"):
        (folder / name).write_text("a stranger's")
    (folder / "bin").symlink_to("usr/bin")
    tree = lay_out(folder)

    assert b"stranger" not in image_archive(tree.skeleton)
    assert tree.skeleton == Skeleton(
        folders=("tmp", "lc", "lc/in", "lc/out"), links=(("bin", "usr/bin"),)
    )
    assert [inside for inside, _ in tree.mounts] == ["etc/file", "file", "lc/work", "usr"]


async def test_an_engine_that_is_not_there_is_named_with_the_remedy(
    folder: Path, owner: str, sandbox_name: str
) -> None:
    assert sandbox_name
    with pytest.raises(SandboxUnavailable, match=r"no engine at unix:///.*nobody"):
        await DockerSandbox(owner, host=f"unix://{folder}/nobody").probe()


async def test_an_engine_of_another_machine_is_refused(owner: str, sandbox_name: str) -> None:
    assert sandbox_name
    with pytest.raises(SandboxUnavailable, match="must be on this machine"):
        await DockerSandbox(owner, host="tcp://192.0.2.1:2375").probe()


async def test_what_a_short_job_has_used_is_known_too(workshop: Workshop) -> None:
    """It has ended before the engine has said that it began."""
    argv = ("/canary", "m")
    ended = [await ended_with(workshop, argv) for _ in range(3)]

    assert {one.status for one in ended} == {Status.OUT_OF_MEMORY}
    assert all(one.memory_peak_bytes > 8 << 20 for one in ended)


async def ended_with(workshop: Workshop, argv: tuple[str, ...]) -> Outcome:
    small = replace(LIMITS, memory_bytes=ByteCount(16 << 20))
    async with workshop.start_argv(argv, small, {}) as run:
        return await run.wait()
