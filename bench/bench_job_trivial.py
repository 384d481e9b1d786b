"""job.trivial: a whole job whose trial does nothing, until its model is in the kernel; against ``docker run`` of the same.

The time until the first bid and the time from the expiry on count; what lies between is the poster's choice.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench import job_nets, shell_job
from bench.docker_route import engine_does, find_engine
from bench.harness import Measured, NothingMeasured, Target, measure_pairs
from lc_jupyter.models import load_model, validate_digest
from lc_node.api.calls import FetchModel
from lc_node.api.client import Client
from lc_node.api.schema_jobs import JobRequest

BUBBLEWRAP: Final = Target(name="job.trivial", unit="ms", limit=0.5, at_least=False)
DOCKER: Final = Target(name="job.trivial.docker", unit="ms", limit=1.2, at_least=False)

_TAG: Final = "lc-bench-trivial"
_ANSWERS: Final = b"{}\n" * 4
"""What a node would say to the job's four messages."""


def run() -> list[Measured]:
    """Measure.

    Raises:
        NothingMeasured: there is no engine of the tests' own.
    """
    if not find_engine():
        raise NothingMeasured("no container engine; scripts/ensure-docker starts one")
    image = shell_job.build(shell_job.NOTHING)
    on_docker = f'[sandbox]\nengine = "docker"\nhost = "{find_engine()}"\n'
    settings = {role.name: on_docker for role in job_nets.FIVE}
    with _imported(image) as bare:
        bare()
        return [
            _measured(BUBBLEWRAP, image, bare, {}),
            _measured(DOCKER, image, bare, settings),
        ]


def _measured(
    target: Target,
    image: shell_job.ShellImage,
    bare: Callable[[], float],
    settings: Mapping[str, str],
) -> Measured:
    request = shell_job.request(image, expiry_seconds=job_nets.UNHURRIED_SECONDS)
    with job_nets.graph(settings=settings) as net, job_nets.client_of(net) as client:
        shell_job.put(client, image)
        _whole(client, request)  # unpacks the image, and loads what nodes load once
        return measure_pairs(target, lambda: _whole(client, request), bare)


def _whole(client: Client, request: JobRequest) -> float:
    """Return the milliseconds of a whole job, its waiting for the expiry set aside."""
    played = job_nets.play(client, request)
    since = time.perf_counter()
    fetched = client.call(FetchModel(job=played.story.summary.job))
    validate_digest(fetched)
    assert load_model(fetched, None, trust=False) == b"0.5", "the model that was trained"
    pulled = time.perf_counter() - since
    return 1000 * (played.first_bid_seconds + played.settle_seconds + pulled)


@contextmanager
def _imported(image: shell_job.ShellImage) -> Iterator[Callable[[], float]]:
    """Give the engine the same files as an image of its own; yield what measures a run of it."""
    with tempfile.TemporaryDirectory() as folder:
        layer = Path(folder) / "layer.tar"
        layer.write_bytes(image.layer)
        engine_does("import", str(layer), _TAG)
    try:
        yield _run_bare
    finally:
        engine_does("image", "rm", "-f", _TAG)


def _run_bare() -> float:
    """Return the milliseconds of the same program in a container, answered as a node would."""
    words = (*("run", "--rm", "-i", "--network", "none", _TAG), *shell_job.ENTRYPOINT, "train")
    since = time.perf_counter()
    engine_does(*words, stdin=_ANSWERS)
    return 1000 * (time.perf_counter() - since)
