"""node.soak: what job after job leaves behind in nodes: memory, descriptors, disk; against their first hundred.

``LC_SOAK_JOBS=2000 python -m bench node.soak`` goes on for longer.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from msgspec.structs import replace as with_fields

from bench import job_nets, shell_job
from bench.bench_chain_idle import resident_mb
from bench.harness import PAIRS_MIN, Measured, Target, from_samples
from lc_node.api.calls import Submit
from lc_node.api.client import Client
from lc_node.api.errors import Refused
from lc_node.api.schema_jobs import JobRequest
from lc_node.chain.params import SECOND_MS
from lc_node.chain.types import MillisSpan
from lc_node.runtime.devnet import Devnet

MEMORY: Final = Target(name="node.soak.memory", unit="MB", limit=1.05, at_least=False)
DESCRIPTORS: Final = Target(name="node.soak.descriptors", unit="files", limit=1.05, at_least=False)
DISK: Final = Target(name="node.soak.disk", unit="kB a job", limit=1.05, at_least=False)

FIRST: Final = 100
"""Jobs after which everything is there that a node keeps however long it lives."""
JOBS: Final = int(os.environ.get("LC_SOAK_JOBS", "200"))
AT_ONCE: Final = 6
EXPIRY_SECONDS: Final = 5
"""Time for six trainings at once to bid."""

_PARAMS: Final = with_fields(
    job_nets.PARAMS, history_kept_ms=MillisSpan(20 * SECOND_MS)
)  # else each job is kept for an hour, and what is forgotten afterwards is not seen
_SETTLED_SECONDS: Final = 3.0
"""What a job leaves to be cleared up is gone by then."""
_BATCH_SECONDS_MAX: Final = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What nodes hold after some jobs: the largest of them, but the disk of all."""

    jobs: int
    memory_mb: float
    descriptors: float
    disk_kb: float


def run() -> list[Measured]:
    """Measure."""
    image = shell_job.build(shell_job.NOTHING)
    request = shell_job.request(image, expiry_seconds=EXPIRY_SECONDS)
    small = with_fields(request, resources=with_fields(request.resources, millicpus=100))
    with (
        job_nets.graph(params=_PARAMS, jobs_at_once=AT_ONCE) as net,
        job_nets.client_of(net) as client,
    ):
        shell_job.put(client, image)
        _play(client, small, AT_ONCE)  # unpacks the image
        start = _held(net, 0)
        _play(client, small, FIRST)
        first = _held(net, FIRST)
        later = list[Held]()
        for sample in range(1, PAIRS_MIN + 1):
            done = FIRST + (JOBS - FIRST) * sample // PAIRS_MIN
            _play(client, small, done - (later or [first])[-1].jobs)
            later.append(_held(net, done))
    return _compared(start, first, later)


def _compared(start: Held, first: Held, later: Sequence[Held]) -> list[Measured]:
    whole = len(later)
    disk = [(one.disk_kb - first.disk_kb) / (one.jobs - first.jobs) for one in later]
    found = (
        from_samples(MEMORY, [one.memory_mb for one in later], [first.memory_mb] * whole),
        from_samples(DESCRIPTORS, [one.descriptors for one in later], [first.descriptors] * whole),
        from_samples(DISK, disk, [(first.disk_kb - start.disk_kb) / FIRST] * whole),
    )
    last, thousands = later[-1], (later[-1].jobs - FIRST) / 1000
    grown = (
        f"{(last.memory_mb - first.memory_mb) / thousands:+.1f} MB",
        f"{(last.descriptors - first.descriptors) / thousands:+.0f}",
        f"{(last.disk_kb - first.disk_kb) / thousands / 1000:+.1f} MB of five nodes",
    )
    return [
        replace(one, note=f"{more} per 1,000 jobs, seen over {last.jobs - FIRST}")
        for one, more in zip(found, grown, strict=True)
    ]


def _play(client: Client, request: JobRequest, count: int) -> None:
    """Post some jobs, a few of which are open at a time, and return when all are settled.

    Raises:
        JobFailed: one was not.
    """
    deadline = time.monotonic() + _BATCH_SECONDS_MAX
    posted, settled = set[str](), set[str]()
    with client.events() as events:
        while len(settled) < count:
            if time.monotonic() > deadline:
                raise job_nets.JobFailed(f"{len(settled)} of {count} jobs were settled in time")
            if len(posted) < count and len(posted - settled) < AT_ONCE:
                posted.update(_posted(client, request))
                continue
            event = events.next(1.0)
            if event is not None and event.code in {"refunded", "cancelled"}:
                raise job_nets.JobFailed(event.text)
            if event is not None and event.code == "settled" and event.job is not None:
                settled.add(event.job)


def _posted(client: Client, request: JobRequest) -> set[str]:
    """Post a job and return it; none if the graph took so long that its expiry was too near by then."""
    try:
        return {client.call(Submit(request=request)).job}
    except Refused as refused:
        if refused.code != "ExpiryOutOfRange":
            raise
        return set()


def _held(net: Devnet, jobs: int) -> Held:
    time.sleep(_SETTLED_SECONDS)
    processes = [net.process(place.role.name) for place in net.places]
    return Held(
        jobs=jobs,
        memory_mb=max(map(resident_mb, processes)),
        descriptors=float(max(len(os.listdir(f"/proc/{one}/fd")) for one in processes)),  # noqa: PTH208  # gone while one looks
        disk_kb=sum(_disk_kb(place.home.path) for place in net.places),
    )


def _disk_kb(folder: Path) -> float:
    """Return what the files below a folder take of the disk."""
    blocks = 0
    for path in folder.rglob("*"):
        try:
            blocks += path.lstat().st_blocks
        except FileNotFoundError:
            continue  # a file of the moment
    return blocks * 512 / 1000
