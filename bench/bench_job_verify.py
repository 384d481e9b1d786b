"""job.verify: how many times nodes evaluate an honest job after its expiry, be its bids few or many, its training short or long."""

import re
from typing import Final

from bench import job_nets, shell_job
from bench.harness import Measured, Target, from_samples
from lc_node.api.client import Client
from lc_node.runtime.devnet import Devnet, Role, log_of

VERIFY: Final = Target(name="job.verify", unit="evaluations", limit=1, at_least=False)

COMMITTEE: Final = 3
MODELS_AND_SECONDS: Final = ((1, 3), (2, 4), (4, 6), (8, 9), (16, 15))
"""Of each job: how many models a trainer makes and bids for, and how long bidding lasts."""

_ROLES: Final = (
    job_nets.SUBMITTER,
    job_nets.TRAINER,
    Role(name="trainer-2", bonded=20, trains=True),
    *job_nets.EVALUATORS,
    Role(name="evaluator-4", bonded=100, votes=True),
)


def run() -> list[Measured]:
    """Measure: a node logs each evaluation of a candidate."""
    with job_nets.graph(_ROLES) as net, job_nets.client_of(net) as client:
        counts = [_evaluations(net, client, *each) for each in MODELS_AND_SECONDS]
    assert min(counts) >= COMMITTEE, "a committee of three has judged"
    return [from_samples(VERIFY, counts, [float(COMMITTEE)] * len(counts))]


def _evaluations(net: Devnet, client: Client, models: int, seconds: int) -> float:
    """Return how many evaluations a job took after its expiry, on all nodes together."""
    image = shell_job.build(shell_job.many(models, 0.6 * seconds / models))
    shell_job.put(client, image)
    played = job_nets.play(client, shell_job.request(image, expiry_seconds=seconds))
    line = re.compile(rf"job {played.story.summary.job[:8]}: candidate evaluated")
    return float(sum(len(line.findall(log_of(place).read_text())) for place in net.places))
