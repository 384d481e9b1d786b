"""Clusters that cannot be used, or not any more: each is named, with its remedy, and nothing is run unsandboxed."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.adapters.dask_cluster import ClusterUnreachable
from lc_node.adapters.dask_executor import DaskExecutor, DaskPlace
from lc_node.chain.types import Digest
from lc_node.ports.sandbox import RunRequest, SandboxFailed, SandboxUnavailable, SandboxWishes
from lc_node.runtime.devnet import free_ports
from tests.adapters.jobs import LIMITS
from tests.adapters.test_oci_image import Shelf
from tests.dask.certificates import write_certificates
from tests.dask.conftest import connected, executor_on, until
from tests.dask.lab import RESOURCES, Cluster, cluster

pytestmark = pytest.mark.slow

NO_NAMESPACES = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
BUBBLEWRAP = SandboxWishes(engine="bubblewrap")
"""An engine of the machine would do instead where namespaces are not allowed."""

MISFITS = {
    "poor": "declares no resources; start it with",
    "old": "it has learningchain 0.0.1, this node",
    "bare": "pip install 'learningchain[node,dask]==",
    "open": "max_user_namespaces",
}


@pytest.fixture(scope="module")
def misfits() -> Iterator[Cluster]:
    """A cluster of which each worker lacks something else."""
    with tempfile.TemporaryDirectory(prefix="lc-dask-") as name, cluster(Path(name)) as lab:
        lab.start_worker("poor", resources="")
        lab.start_worker("old", before="import lc_node; lc_node.__version__ = '0.0.1'")
        lab.start_worker("bare", before="import sys; sys.modules['lc_node'] = None")
        wrapper = ["/usr/bin/unshare", "--user", "--map-root-user", "/bin/sh", "-c"]
        lab.start_worker("open", wrapper=[*wrapper, NO_NAMESPACES, "sh"])
        yield lab


async def test_workers_that_lack_something_are_not_used_and_told_what(
    misfits: Cluster, shelf: Shelf
) -> None:
    executor = executor_on(misfits, shelf, sandbox=BUBBLEWRAP)
    async with connected(executor, 0) as seen:
        # One that is slow to answer is asked again.
        await until(
            lambda: all(
                any(
                    member.name == name and problem in member.problem
                    for member in seen.members.values()
                )
                for name, problem in MISFITS.items()
            )
        )
        found = (seen.usable, executor.capabilities(), executor.most())

    assert found == ([], None, None)


async def test_a_worker_runs_jobs_in_the_sandbox_of_the_first_node_alone(
    misfits: Cluster, shelf: Shelf
) -> None:
    async with connected(executor_on(misfits, shelf, sandbox=BUBBLEWRAP), 0) as seen:
        await until(lambda: len(seen.members) == len(MISFITS))
    executor = executor_on(misfits, shelf, sandbox=SandboxWishes(engine="docker"))
    async with connected(executor, 0) as seen:
        await until(lambda: len(seen.members) == len(MISFITS))
        problems = {member.name: member.problem for member in seen.members.values()}

    assert "another node has it run jobs in another sandbox" in problems["poor"]


async def test_a_node_does_not_start_where_no_worker_can_be_used(
    misfits: Cluster, shelf: Shelf
) -> None:
    executor = executor_on(misfits, shelf, sandbox=BUBBLEWRAP)
    async with connected(executor, 0) as seen:
        await until(lambda: len(seen.members) == len(MISFITS))

    with pytest.raises(SandboxUnavailable, match="no worker of the Dask cluster can be used"):
        await executor_on(misfits, shelf, sandbox=BUBBLEWRAP).start()


async def test_nothing_is_run_where_no_worker_can_be_used(misfits: Cluster, shelf: Shelf) -> None:
    executor = executor_on(misfits, shelf, sandbox=BUBBLEWRAP)
    request = RunRequest(
        rootfs=Path("/"),
        argv=("job",),
        environment={},
        inputs={},
        limits=LIMITS,
        manifest=Digest(bytes(32)),
    )
    async with connected(executor, 0) as seen:
        await until(lambda: len(seen.members) == len(MISFITS))
        with pytest.raises(SandboxFailed, match="no worker of the Dask cluster can be used"):
            async with executor.sandbox.open(request):
                pass


async def test_a_scheduler_that_does_not_answer_is_one_line_with_the_remedy(shelf: Shelf) -> None:
    (port,) = free_ports(1)
    where = DaskPlace(address=f"dask://127.0.0.1:{port}", cache="", cache_bytes_max=1)

    with pytest.raises(ClusterUnreachable, match="start it with `dask scheduler`") as refusal:
        await DaskExecutor(where, shelf.store(), shelf.blobs).start()

    assert "\n" not in str(refusal.value)


async def test_a_lost_scheduler_is_a_problem_until_it_is_back(shelf: Shelf) -> None:
    (port,) = free_ports(1)
    with (
        tempfile.TemporaryDirectory(prefix="lc-dask-") as name,
        cluster(Path(name), port=port) as lab,
    ):
        lab.start_worker("first")
        executor = executor_on(lab, shelf)
        async with connected(executor, 1):
            lab.kill("scheduler")
            await until(lambda: "does not answer" in executor.problem())
            lab.start_scheduler(port)
            lab.start_worker("second")
            await until(lambda: not executor.problem())

            assert executor.capabilities() is not None


async def test_a_cluster_that_encrypts_is_used_with_its_certificates(
    shelf: Shelf, tmp_path: Path
) -> None:
    files = write_certificates(tmp_path)
    words = ["--tls-ca-file", files.authority, "--tls-cert", files.certificate]
    words += ["--tls-key", files.key]
    with (
        tempfile.TemporaryDirectory(prefix="lc-dask-") as name,
        cluster(Path(name), security=words) as lab,
    ):
        lab.start_worker("only", RESOURCES)
        where = DaskPlace(
            address=lab.address,
            cache=str(tmp_path / "cache"),
            cache_bytes_max=1 << 30,
            tls_ca_file=files.authority,
            tls_cert=files.certificate,
            tls_key=files.key,
        )
        async with connected(DaskExecutor(where, shelf.store(), shelf.blobs), 1) as seen:
            assert [address.partition("//")[0] for address in seen.usable] == ["tls:"]
        assert list((tmp_path / "cache").iterdir())
