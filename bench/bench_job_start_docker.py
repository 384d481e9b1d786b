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

from bench.harness import Measured, NothingMeasured, Target, measure_pairs
from bench.sandbox_runs import LIMITS, Echo
from lc_node.adapters.docker_sandbox import DockerSandbox
from lc_node.adapters.seccomp import docker_profile, syscall_table

PAIRS: Final = 7
RUNS: Final = 5
"""In each sample."""

TARGET: Final = Target(name="job.start.docker", unit="ms a run", limit=1.1, at_least=False)

_HOST_FILE: Final = Path(".cache/docker-host")


def run() -> list[Measured]:
    """Measure.

    Raises:
        NothingMeasured: there is no engine of the tests' own.
    """
    if not _HOST_FILE.exists():
        raise NothingMeasured("no container engine; scripts/ensure-docker starts one")
    host = _HOST_FILE.read_text().strip()
    with tempfile.TemporaryDirectory() as folder, _connected(host) as api:
        echo = Echo.below(Path(folder))
        image = _imported(api, echo.root)
        try:
            sandbox = DockerSandbox("bench", host=host)
            asyncio.run(_ours(sandbox, echo, 1))
            return [
                measure_pairs(
                    TARGET,
                    lambda: asyncio.run(_ours(sandbox, echo, RUNS)),
                    lambda: _bare(api, image, echo, RUNS),
                    pairs=PAIRS,
                )
            ]
        finally:
            api.remove_image(image)


async def _ours(sandbox: DockerSandbox, echo: Echo, runs: int) -> float:
    """Return the milliseconds of one run, from its request until nothing is left of it."""
    since = time.perf_counter()
    for _ in range(runs):
        await echo.first_line_seconds(sandbox)
    return 1000 * (time.perf_counter() - since) / runs


def _bare(api: docker.APIClient, image: str, echo: Echo, runs: int) -> float:
    """Return the milliseconds of create, start, wait and remove."""
    since = time.perf_counter()
    for _ in range(runs):
        container = api.create_container(
            image,
            command=list(echo.words),
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
        pids_limit=LIMITS.pids,
        mem_limit=LIMITS.memory_bytes,
        memswap_limit=LIMITS.memory_bytes,
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
