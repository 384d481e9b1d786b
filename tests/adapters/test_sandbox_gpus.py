"""GPUs: a run gets those that it was promised, or does not begin."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_sandbox import NO_GPUS, BubblewrapSandbox
from lc_node.adapters.docker_sandbox import DockerSandbox
from lc_node.adapters.gpu_sandbox import GpuSandbox
from lc_node.chain.types import ByteCount
from lc_node.ports.gpus import FoundGpus, Gpu
from lc_node.ports.sandbox import Capabilities, Run, RunRequest, SandboxFailed
from tests.adapters.jobs import LIMITS, docker_host
from tests.adapters.rootfs import ENVIRONMENT, PYTHON
from tests.fakes import ScriptedRun

TWO = tuple(
    Gpu(identifier=f"GPU-{name}", index=str(index), name="A100", memory_bytes=ByteCount(40 << 30))
    for index, name in enumerate("ab")
)
NO_DRIVER = "no NVIDIA driver is installed here"


class Recorder:
    """A sandbox on a machine whose GPUs exist on paper: it notes which devices each run was given."""

    def __init__(self) -> None:
        self.given: list[tuple[str, ...]] = []

    async def probe(self) -> Capabilities:
        return Capabilities(engine="recorder", version="1", enforced=frozenset())

    @asynccontextmanager
    async def open(self, request: RunRequest) -> AsyncIterator[Run]:
        self.given.append(request.gpus)
        yield ScriptedRun(request)

    async def reap(self) -> None:
        return


class Lab:
    """A machine with two GPUs."""

    def __init__(self, *wanted: str, gpus: tuple[Gpu, ...] = TWO) -> None:
        self.recorder = Recorder()
        self._found = FoundGpus(gpus=gpus, problem="" if gpus else NO_DRIVER)
        self.sandbox = GpuSandbox(self.recorder, self._find, wanted=wanted)

    async def ready(self) -> Capabilities:
        """Probe, and forget what was given to the canary."""
        found = await self.sandbox.probe()
        self.recorder.given.clear()
        return found

    async def _find(self) -> FoundGpus:
        return self._found


def request(gpus: int, *, rootfs: Path = Path("/"), trains: bool = True) -> RunRequest:
    return RunRequest(
        rootfs=rootfs,
        argv=(PYTHON, "-c", "print(1)"),
        environment=ENVIRONMENT,
        inputs={},
        limits=LIMITS,
        gpu_count=gpus,
        is_background=trains,
    )


async def test_two_trainings_get_different_gpus_and_give_them_back() -> None:
    lab = Lab()
    await lab.ready()
    for _ in range(2):
        async with lab.sandbox.open(request(1)), lab.sandbox.open(request(1)):
            pass

    assert lab.recorder.given == [("GPU-a",), ("GPU-b",)] * 2


async def test_a_training_waits_while_others_have_the_gpus() -> None:
    lab = Lab()
    await lab.ready()
    async with lab.sandbox.open(request(2)):
        with pytest.raises(SandboxFailed, match="other trainings have the GPUs"):
            async with lab.sandbox.open(request(1)):
                pass


async def test_an_evaluation_takes_the_gpus_that_are_used_least_and_shares_if_it_must() -> None:
    lab = Lab()
    await lab.ready()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(lab.sandbox.open(request(1)))
        for _ in range(2):
            await stack.enter_async_context(lab.sandbox.open(request(1, trains=False)))

    assert lab.recorder.given == [("GPU-a",), ("GPU-b",), ("GPU-a",)]


async def test_a_run_that_wants_none_sees_none() -> None:
    lab = Lab()
    await lab.ready()
    async with lab.sandbox.open(request(0)):
        pass

    assert lab.recorder.given == [()]


@pytest.mark.parametrize("name", ["GPU-b", "1"])
async def test_an_owner_may_offer_one_of_them_only(name: str) -> None:
    lab = Lab(name)

    assert (await lab.ready()).gpus == 1
    async with lab.sandbox.open(request(1)):
        pass
    assert lab.recorder.given == [("GPU-b",)]


async def test_a_gpu_that_does_not_exist_is_named() -> None:
    found = await Lab("GPU-c").ready()

    assert (found.gpus, found.gpu_problem) == (
        0,
        "no GPU is called 'GPU-c' here; `nvidia-smi -L` lists them",
    )


async def test_a_run_that_wants_more_than_there_are_is_refused_with_the_reason() -> None:
    lab = Lab(gpus=())
    found = await lab.ready()

    assert (found.gpus, found.gpu_problem) == (0, NO_DRIVER)
    with pytest.raises(SandboxFailed, match=NO_DRIVER):
        async with lab.sandbox.open(request(1)):
            pass


async def test_bubblewrap_refuses_a_run_with_gpus_and_names_the_remedy(
    rootfs: Path, owner: str
) -> None:
    assigned = replace(request(1, rootfs=rootfs), gpus=("GPU-a",))

    with pytest.raises(SandboxFailed, match="use docker with the NVIDIA container runtime"):
        async with BubblewrapSandbox(owner).open(assigned):
            pass


async def test_gpus_are_not_offered_where_the_sandbox_cannot_give_them(owner: str) -> None:
    async def find() -> FoundGpus:
        return FoundGpus(gpus=TWO, problem="")

    inside = BubblewrapSandbox(owner, probe_seconds_max=60)
    found = await GpuSandbox(inside, find).probe()

    assert (found.gpus, found.gpu_problem) == (0, NO_GPUS)


async def test_an_engine_without_a_driver_for_gpus_is_told_how_to_get_one(
    rootfs: Path, owner: str
) -> None:
    """The engine's own answer to a request for a device, on a machine that has none."""
    assigned = replace(request(1, rootfs=rootfs), gpus=("GPU-a",))

    with pytest.raises(SandboxFailed, match="cannot give GPUs; install nvidia-container-toolkit"):
        async with DockerSandbox(owner, host=docker_host()).open(assigned):
            pass


async def test_docker_starts_no_run_whose_gpus_were_not_assigned(rootfs: Path, owner: str) -> None:
    with pytest.raises(SandboxFailed, match="1 GPUs are wanted, 0 assigned"):
        async with DockerSandbox(owner, host=docker_host()).open(request(1, rootfs=rootfs)):
            pass
