"""job.first_bid: how soon a job has its first bid, with a trial of no time and the image unpacked already."""

import tempfile
from pathlib import Path
from typing import Final

from bench import job_nets, shell_job
from bench.bench_job_start import sandboxed_echo
from bench.harness import Measured, Target, measure_pairs

FIRST_BID: Final = Target(name="job.first_bid", unit="ms", limit=1.5, at_least=False)

PAIRS: Final = 7
FINALITIES: Final = 2
"""The job must become final, then the bid."""


def run() -> list[Measured]:
    """Measure."""
    image = shell_job.build(shell_job.NOTHING)
    request = shell_job.request(image, expiry_seconds=job_nets.EXPIRY_SECONDS)
    with (
        tempfile.TemporaryDirectory() as folder,
        job_nets.graph() as net,
        job_nets.client_of(net) as client,
    ):
        start = sandboxed_echo(Path(folder))
        shell_job.put(client, image)
        job_nets.play(client, request)  # unpacks the image, and loads what nodes load once

        def ours() -> float:
            return 1000 * job_nets.play(client, request).first_bid_seconds

        def yardstick() -> float:
            return 1000 * (FINALITIES * job_nets.idle_finality(net, client) + start())

        return [measure_pairs(FIRST_BID, ours, yardstick, pairs=PAIRS)]
