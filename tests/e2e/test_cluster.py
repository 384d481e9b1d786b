"""A whole job on a graph, of which one node trains and another one evaluates on a Dask cluster."""

import os
import tempfile
from pathlib import Path

import pytest

from lc_node.api.calls import GetStatus
from lc_node.api.schema import Phase
from lc_node.runtime.devnet import Devnet, Place, log_of
from tests.dask.lab import Cluster, cluster
from tests.e2e.graphs import (
    EVALUATORS,
    SUBMITTER,
    TRAINER,
    living,
    patient_client,
    wait_for,
    wait_for_job,
    wait_until_over,
)
from tests.e2e.light_job import light_request, post_light_job

pytestmark = pytest.mark.slow

ON_THE_CLUSTER = ("trainer", "evaluator-1")
WORKERS = ("one", "two")


def test_a_job_survives_its_worker_wins_and_is_judged_on_a_cluster() -> None:
    with tempfile.TemporaryDirectory(prefix="lcd") as name, cluster(Path(name)) as lab:
        Path(name).chmod(0o755)
        for worker in WORKERS:
            lab.start_worker(worker)
        with living((SUBMITTER, TRAINER, *EVALUATORS), _on(lab.address)) as devnet:
            _wait_for_cluster(devnet)
            with patient_client(devnet, "submitter") as client:
                job = post_light_job(client, light_request())
                wait_for_job(client, job, lambda story: bool(story.bids), 120)
                lab.kill(_who_works(lab))
                story = wait_until_over(client, job)
            logs = {place.role.name: log_of(place).read_text() for place in devnet.places}

    assert story.summary.phase is Phase.SETTLED
    assert story.summary.winner == devnet.place("trainer").identity.address
    assert "is tried again elsewhere" in logs["trainer"]
    assert "candidate evaluated" in logs["evaluator-1"]


def _on(address: str) -> type[Devnet]:
    """Return a devnet of which some nodes have their work done on a cluster."""

    class OnCluster(Devnet):
        def command(self, place: Place) -> list[str]:
            words = super().command(place)
            is_there = place.role.name in ON_THE_CLUSTER
            return [*words, "--executor", address] if is_there else words

    return OnCluster


def _wait_for_cluster(devnet: Devnet) -> None:
    with patient_client(devnet, "trainer") as client:
        wait_for(
            client,
            lambda: client.call(GetStatus()).sandbox,
            lambda sandbox: sandbox.engine == f"dask, {len(WORKERS)} workers",
            90,
        )


def _who_works(lab: Cluster) -> str:
    """Return the worker that has the training: a sandbox runs under it."""
    parents = {
        _parent(int(folder.name)) for folder in Path("/proc").iterdir() if folder.name.isdigit()
    }
    return next(name for name in WORKERS if lab.processes[name].pid in parents)


def _parent(pid: int) -> int:
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return os.getpid()
    return int(words[1])
