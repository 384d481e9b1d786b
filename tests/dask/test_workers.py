"""Workers of a cluster: chosen by what they declare, given images once, lost, and left by their node."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lc_node.adapters import dask_sandbox
from lc_node.adapters.dask_executor import DaskExecutor
from lc_node.adapters.dask_messages import Missing, Offer
from lc_node.ports.sandbox import SandboxFailed, Status, WorkerLost
from tests.adapters.jobs import all_lines
from tests.adapters.test_oci_image import Shelf
from tests.dask.conftest import WORKERS, connected, executor_on, until
from tests.dask.lab import Cluster
from tests.dask.node import SLEEPER
from tests.dask.places import Place
from tests.dask.test_executors import ECHO, pids_with

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
FAR = 3000
"""Processors that only the far worker declares, in thousandths."""
VICTIM = 4000
"""The same of a worker that is going to be killed."""


@pytest.fixture
async def victim(lab: Cluster, dask: Place) -> AsyncIterator[str]:
    """A worker to kill, by its name."""
    name = f"victim-{os.urandom(4).hex()}"
    lab.start_worker(name, "CPU=4 MEMORY=4e9")
    assert isinstance(dask.executor, DaskExecutor)
    cluster = dask.executor._cluster
    await until(lambda: len(cluster.usable) > WORKERS)
    yield name
    if name in lab.processes:
        lab.kill(name)
    await until(lambda: len(cluster.usable) <= WORKERS)


async def test_a_run_goes_where_what_it_needs_is_declared(dask: Place) -> None:
    """The far worker cannot read the node's files: it was sent the image, piece by piece."""
    outcome = await dask.outcome("print(1)", millicpus=FAR)

    assert (outcome.status, outcome.exit_code) == (Status.EXITED, 0)


async def test_a_worker_is_sent_an_image_once(dask: Place) -> None:
    executor = dask.executor
    assert isinstance(executor, DaskExecutor)
    await dask.outcome("print(1)", millicpus=FAR)
    cluster, manifest = executor._cluster, dask.image.manifest
    assert manifest is not None
    (far,) = [name for name in cluster.usable if cluster.members[name].resources["CPU"] == 3]
    wanted = (manifest, *(blob.digest for blob in executor.images.blobs_of(manifest)))
    offer = Offer(blobs=tuple((digest, 1, "/nowhere") for digest in wanted))

    assert await cluster.ask(far, offer, Missing) == Missing(blobs=())


async def test_a_run_that_no_worker_is_large_enough_for_is_refused_with_what_it_needs(
    dask: Place,
) -> None:
    with pytest.raises(SandboxFailed, match=r"no worker .* declares CPU=64"):
        await dask.outcome("print(1)", millicpus=64_000)


async def test_a_worker_that_is_killed_loses_its_run_and_says_that_it_is_no_fault_of_the_job(
    lab: Cluster, dask: Place, victim: str
) -> None:
    async with dask.start(SLEEPER, millicpus=VICTIM, wall=600_000) as run:
        assert await run.read_line() == b"up"
        lab.kill(victim)

        assert await run.read_line() is None
        with pytest.raises(WorkerLost, match="is gone"):
            await run.wait()


async def test_nothing_of_a_run_outlives_a_worker_that_is_killed(
    lab: Cluster, dask: Place, victim: str
) -> None:
    marker = f"left-{os.urandom(8).hex()}"
    async with dask.start(SLEEPER, marker, millicpus=VICTIM, wall=600_000) as run:
        await run.read_line()
        assert pids_with(marker)
        lab.kill(victim)
        await until(lambda: not pids_with(marker))


async def test_work_ends_when_its_node_is_killed(lab: Cluster, shelf: Shelf, dask: Place) -> None:
    marker, manifest = f"orphan-{os.urandom(8).hex()}", dask.image.manifest
    assert manifest is not None
    node = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.dask.node", lab.address, str(shelf.folder.parent)),
        *(manifest.hex(), marker),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdout is not None
    assert await node.stdout.readline() == b"up\n"
    assert len(pids_with(marker)) > 1

    node.kill()
    await node.wait()

    await until(lambda: not pids_with(marker))


async def test_leaving_the_cluster_ends_what_runs_there(
    lab: Cluster, shelf: Shelf, dask: Place
) -> None:
    marker = f"stopped-{os.urandom(8).hex()}"
    executor = executor_on(lab, shelf, lease_seconds=600)  # which is not what ends it
    async with connected(executor, WORKERS), Place(executor, dask.image).start(ECHO, marker):
        assert pids_with(marker)

    await until(lambda: not pids_with(marker))


async def test_a_training_waits_for_room_and_an_evaluation_shares_it(
    dask: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with dask.start(ECHO, is_background=True, millicpus=FAR):
        monkeypatch.setattr(dask_sandbox, "ROOM_SECONDS_MAX", 2.0)
        monkeypatch.setattr(dask_sandbox, "OWN_ROOM_SECONDS_MAX", 0.5)
        with pytest.raises(SandboxFailed, match="free now"):
            async with dask.start(ECHO, is_background=True, millicpus=FAR):
                pass
        monkeypatch.setattr(dask_sandbox, "ROOM_SECONDS_MAX", 60.0)
        async with dask.start("print(1)", millicpus=FAR) as evaluation:
            assert await all_lines(evaluation) == [b"1"]


async def test_room_is_given_back_when_a_run_ends(dask: Place) -> None:
    for _ in range(3):
        async with dask.start("print(1)", is_background=True, millicpus=FAR) as run:
            assert await all_lines(run) == [b"1"]
