"""job.settle: how long after its expiry a job is settled, with an evaluation of no time.

The path has seven steps, each of which becomes final: bidding ends; the bid is opened; the committee is drawn; its
members commit themselves; all have; they reveal; the job is settled. A step that is a transaction of a node is
proposed at once on an idle graph; here it comes on the heels of the block before, and a leader waits
``block_pause_ms`` after that one. So the path is compared twice: with the finality of an idle graph, and with that of
transfers that follow each other.
"""

from typing import Final

from bench import job_nets, shell_job
from bench.harness import Measured, Target, from_samples

IDLE: Final = Target(name="job.settle", unit="ms", limit=1.5, at_least=False)
PACED: Final = Target(name="job.settle.paced", unit="ms", limit=1.5, at_least=False)

PAIRS: Final = 7
STEPS: Final = 7


def run() -> list[Measured]:
    """Measure."""
    image = shell_job.build(shell_job.NOTHING)
    request = shell_job.request(image, expiry_seconds=job_nets.EXPIRY_SECONDS)
    ours, idle, paced = list[float](), list[float](), list[float]()
    with job_nets.graph() as net, job_nets.client_of(net) as client:
        shell_job.put(client, image)
        job_nets.play(
            client, request
        )  # unpacks the image on all nodes, and loads what they load once
        for _ in range(PAIRS):
            idle.append(1000 * STEPS * job_nets.idle_finality(net, client))
            paced.append(1000 * STEPS * job_nets.paced_finality(net, client))
            ours.append(1000 * job_nets.play(client, request).settle_seconds)
    return [from_samples(IDLE, ours, idle), from_samples(PACED, ours, paced)]
