"""api.roundtrip: a question from a notebook's kernel to its node and back; against a no-op on an engine of ipyparallel."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench import job_nets
from bench.harness import Measured, NothingMeasured, Target, measure_pairs
from lc_node.runtime.devnet import Role
from tests.e2e.graphs import short_folder
from tests.jupyter.kernels import Kernel

ROUNDTRIP: Final = Target(name="api.roundtrip", unit="ms", limit=1, at_least=False)

_ALONE: Final = Role(name="alone", bonded=100, votes=True)


def run() -> list[Measured]:
    """Measure.

    Raises:
        NothingMeasured: ipyparallel is not installed.
    """
    with (
        short_folder() as folder,
        _engine(folder / "cluster") as connection_file,
        job_nets.graph((_ALONE,)) as net,
    ):
        home = net.place(_ALONE.name).home.path
        kernel = Kernel(folder, home, folder / "cache")
        try:
            return [
                measure_pairs(
                    ROUNDTRIP,
                    lambda: _timed(kernel, "node_ms", home),
                    lambda: _timed(kernel, "engine_ms", connection_file),
                )
            ]
        finally:
            kernel.stop()


@contextmanager
def _engine(folder: Path) -> Iterator[Path]:
    """Run a controller with one engine, as processes; yield the file by which clients find it."""
    try:
        parallel: Any = importlib.import_module("ipyparallel")
    except ImportError as error:
        message = "no ipyparallel; `make bench` installs requirements/bench.txt"
        raise NothingMeasured(message) from error
    folder.mkdir()
    with parallel.Cluster(
        n=1, profile_dir=str(folder / "profile"), cluster_id="bench", log_level=30
    ) as client:
        client.wait_for_engines(1)
        yield next(folder.rglob("ipcontroller-*client.json"))


def _timed(kernel: Kernel, function: str, where: Path) -> float:
    """Return what a function of ``bench.roundtrips`` says in the kernel."""
    reply = kernel.run(
        f"from bench import roundtrips\nprint(roundtrips.{function}({str(where)!r}))"
    )
    assert reply.status == "ok", reply.text
    return float(reply.text)
