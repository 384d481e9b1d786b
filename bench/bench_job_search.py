"""job.search: the loss that some nodes reach on a job by its expiry, against one Optuna study that processes share.

Each node has a study of its own and hears of the leader's loss; there are as many processes as nodes, each with as many
trials. Three problems.
"""

import re
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from bench import job_nets
from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from bench.search_problems import cell_of, shared_loss
from lc_node.api.client import Client
from lc_node.api.schema import Resources
from lc_node.api.schema_jobs import JobRequest
from lc_node.runtime.devnet import Devnet, Role, log_of
from tests.e2e.light_job import light_request, send_image

SVR: Final = Target(name="job.search.svr", unit="loss", limit=1.05, at_least=False)
BOOSTING: Final = Target(name="job.search.boosting", unit="loss", limit=1.05, at_least=False)
LOGISTIC: Final = Target(name="job.search.logistic", unit="loss", limit=1.05, at_least=False)

NODES: Final = 3
BUDGET: Final = 30
"""Trials of each node, and of each process."""
EXPIRY_SECONDS: Final = 30
"""Long enough that all trials have ended before; one that has not is no measurement."""

_MEBIBYTE: Final = 1024 * 1024
_ROLES: Final = (
    job_nets.SUBMITTER,
    *(Role(name=f"trainer-{n}", bonded=100, votes=True, trains=True) for n in range(NODES)),
)


def run() -> list[Measured]:
    """Measure."""
    with job_nets.graph(_ROLES) as net, job_nets.client_of(net) as client:
        return [
            _measured(net, client, target, name)
            for target, name in ((SVR, "svr"), (BOOSTING, "boosting"), (LOGISTIC, "logistic"))
        ]


def _measured(net: Devnet, client: Client, target: Target, problem: str) -> Measured:
    request = replace(
        light_request(expiry_seconds=EXPIRY_SECONDS),
        title=problem,
        evaluate_seconds=60,
        resources=Resources(
            millicpus=1000, memory_bytes=512 * _MEBIBYTE, disk_bytes=64 * _MEBIBYTE
        ),
    )
    ready = send_image(client, request, cell_of(problem, BUDGET))
    ours, shared = list[float](), list[float]()
    for pair in range(PAIRS_MIN):
        shared.append(shared_loss(problem, BUDGET, processes=NODES, seed=100 * pair))
        ours.append(_reached(net, client, ready))
    return from_samples(target, ours, shared)


def _reached(net: Devnet, client: Client, request: JobRequest) -> float:
    """Return the lowest loss that was announced until the expiry.

    Raises:
        JobFailed: a node had trials left.
    """
    played = job_nets.play(client, request)
    ended = re.compile(rf"job {played.story.summary.job[:8]}: training ended after ([\d.]+) s")
    for role in _ROLES[1:]:
        found = ended.search(_log(net, role.name))
        if found is None or float(found[1]) > EXPIRY_SECONDS - 2:
            raise job_nets.JobFailed(f"{role.name} had trials left; raise EXPIRY_SECONDS")
    return min(bid.loss for bid in played.story.bids) / 1e9


def _log(net: Devnet, name: str) -> str:
    path: Path = log_of(net.place(name))
    return path.read_text()
