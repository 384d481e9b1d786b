"""What is measured of this node's work and of the machine: sandbox, duties, blobs, disk, the owner's door."""

import shutil
from collections import Counter
from typing import Final

from lc_node.ports.metrics import Kind
from lc_node.runtime.metrics import Metric, Observed, Samples, plain


def _runs(node: Observed) -> Samples:
    for outcome, count in sorted(node.sandbox.outcomes.items()):
        yield (outcome,), count


def _duties(node: Observed) -> Samples:
    under_way = Counter(
        type(action).__name__ for desk in node.jobs.desks.values() for action in desk.under_way
    )
    for duty, count in sorted(under_way.items()):
        yield (duty,), count


def _failing(node: Observed) -> Samples:
    failing = Counter(duty for desk in node.jobs.desks.values() for duty in desk.complaints)
    for duty, count in sorted(failing.items()):
        yield (duty,), count


def _calls(node: Observed) -> float:
    server = node.server()
    return 0 if server is None else server.outstanding


def _malformed(node: Observed) -> float:
    server = node.server()
    return 0 if server is None else server.malformed


def _events(node: Observed) -> float:
    server = node.server()
    return 0 if server is None else server.published


WORK: Final = (
    Metric(
        name="lc_sandbox_runs_total",
        meaning="Runs of strangers' code by how they ended: exited, crashed, out_of_memory, timed_out, "
        "output_limit, cancelled, sandbox_failed.",
        kind=Kind.COUNTER,
        labels=("outcome",),
        read=_runs,
    ),
    Metric(
        name="lc_sandbox_run_seconds",
        meaning="How long the runs took.",
        kind=Kind.HISTOGRAM,
        read=plain(lambda node: node.sandbox.wall_seconds.spread()),
    ),
    Metric(
        name="lc_sandbox_cpu_seconds_total",
        meaning="Processor time of the runs that have ended.",
        kind=Kind.COUNTER,
        read=plain(lambda node: node.sandbox.cpu_seconds),
    ),
    Metric(
        name="lc_sandbox_running",
        meaning="Runs that are going on.",
        read=plain(lambda node: node.sandbox.running),
    ),
    Metric(
        name="lc_duties",
        meaning="What the node is doing about jobs, by kind of duty.",
        labels=("duty",),
        read=_duties,
    ),
    Metric(
        name="lc_duties_failing",
        meaning="Jobs on which a duty has failed and is tried again.",
        labels=("duty",),
        read=_failing,
    ),
    Metric(
        name="lc_blobs_bytes",
        meaning="Images and models on this disk, with what is reserved for those on their way.",
        read=plain(lambda node: node.blobs.used),
    ),
    Metric(
        name="lc_blobs_bytes_max",
        meaning="How much they may take.",
        read=plain(lambda node: node.blobs.bytes_max),
    ),
    Metric(
        name="lc_disk_free_bytes",
        meaning="What is free on the disk with the node's home.",
        read=plain(lambda node: shutil.disk_usage(node.vitals.home).free),
    ),
    Metric(
        name="lc_api_calls",
        meaning="Calls of the owner's programs that are worked on; at 64 more are refused.",
        read=plain(_calls),
    ),
    Metric(
        name="lc_api_malformed_total",
        meaning="Messages at the owner's door that were no calls.",
        kind=Kind.COUNTER,
        read=plain(_malformed),
    ),
    Metric(
        name="lc_api_events_total",
        meaning="Events that were published to the owner's programs.",
        kind=Kind.COUNTER,
        read=plain(_events),
    ),
    Metric(
        name="lc_loop_lag_seconds",
        meaning="By how much a nap of a second was too long: what everything on this node waits for.",
        kind=Kind.HISTOGRAM,
        read=plain(lambda node: node.loop_lag.spread()),
    ),
)
