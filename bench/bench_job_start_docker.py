"""job.start.docker: a run in our docker sandbox, next to a container that is hardened alike and nothing more."""

import asyncio
import io
import json
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import docker
from docker.types import HostConfig, LogConfig

from bench import tiny_root
from bench.harness import Measured, NothingMeasured, Target, measure_pairs
from lc_node.adapters.docker_sandbox import DockerSandbox
from lc_node.adapters.seccomp import docker_profile, syscall_table
from lc_node.chain.types import ByteCount, MillisSpan, Seconds
from lc_node.ports.sandbox import Limits, RunRequest

PAIRS: Final = 7
RUNS: Final = 5
"""In each sample."""

TARGET: Final = Target(name="job.start.docker", unit="ms a run", limit=1.1, at_least=False)

_HOST_FILE: Final = Path(".cache/docker-host")
_MIB: Final = 1024 * 1024
_LIMITS: Final = Limits(
    millicpus=1000,
    memory_bytes=ByteCount(256 * _MIB),
    pids=32,
    out_bytes=ByteCount(8 * _MIB),
    scratch_bytes=ByteCount(8 * _MIB),
    inodes=64,
    wall=MillisSpan(30_000),
    log_bytes=ByteCount(_MIB),
    line_bytes=ByteCount(4096),
    grace=Seconds(1),
)


def run() -> list[Measured]:
    """Measure.

    Raises:
        NothingMeasured: there is no engine of the tests' own.
    """
    if not _HOST_FILE.exists():
        raise NothingMeasured("no container engine; scripts/ensure-docker starts one")
    host = _HOST_FILE.read_text().strip()
    program = tiny_root.find("echo")
    with tempfile.TemporaryDirectory() as folder, _connected(host) as api:
        Path(folder).chmod(0o755)
        root = tiny_root.build(Path(folder) / "root", program)
        image = _imported(api, root)
        try:
            sandbox = DockerSandbox("bench", host=host)
            asyncio.run(_ours(sandbox, root, program, 1))
            return [
                measure_pairs(
                    TARGET,
                    lambda: asyncio.run(_ours(sandbox, root, program, RUNS)),
                    lambda: _bare(api, image, program, RUNS),
                    pairs=PAIRS,
                )
            ]
        finally:
            api.remove_image(image)


async def _ours(sandbox: DockerSandbox, root: Path, program: Path, runs: int) -> float:
    """Return the milliseconds of one run, from its request until nothing is left of it."""
    request = RunRequest(
        rootfs=root,
        argv=(str(program), "started"),
        environment={},
        inputs={},
        limits=_LIMITS,
    )
    since = time.perf_counter()
    for _ in range(runs):
        async with sandbox.open(request) as running:
            line = await running.read_line()
            await running.wait()
        assert line == b"started"
    return 1000 * (time.perf_counter() - since) / runs


def _bare(api: docker.APIClient, image: str, program: Path, runs: int) -> float:
    """Return the milliseconds of create, start, wait and remove."""
    since = time.perf_counter()
    for _ in range(runs):
        container = api.create_container(
            image,
            command=[str(program), "started"],
            user="65534:65534",
            host_config=_hardened(),
        )["Id"]
        api.start(container)
        assert api.wait(container)["StatusCode"] == 0
        api.remove_container(container, v=True)
    return 1000 * (time.perf_counter() - since) / runs


def _hardened() -> dict[str, Any]:
    profile = json.dumps(docker_profile(syscall_table()))
    found: dict[str, Any] = HostConfig(
        version="1.41",
        network_mode="none",
        read_only=True,
        init=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true", f"seccomp={profile}"],
        pids_limit=_LIMITS.pids,
        mem_limit=_LIMITS.memory_bytes,
        memswap_limit=_LIMITS.memory_bytes,
        nano_cpus=10**9,
        log_config=LogConfig(type="none"),
        tmpfs={"/tmp": "rw,size=8m,nr_inodes=64"},  # noqa: S108 - the container's
    )
    return found


@contextmanager
def _connected(host: str) -> Iterator[docker.APIClient]:
    api = docker.APIClient(base_url=host, version="auto")
    try:
        yield api
    finally:
        api.close()


def _imported(api: docker.APIClient, root: Path) -> str:
    """Give the engine the same small root as an image of its own."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(root.iterdir()):
            archive.add(path, arcname=path.name)
    answer = api.import_image_from_data(buffer.getvalue())
    return str(json.loads(answer.strip().splitlines()[-1])["status"])
