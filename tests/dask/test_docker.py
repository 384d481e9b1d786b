"""Workers whose sandbox is a container engine of their machine."""

import tempfile
from pathlib import Path

import pytest

from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.sandbox import Enforced, SandboxWishes
from tests.adapters.jobs import MIB, docker_host
from tests.adapters.test_oci_image import Shelf
from tests.dask.conftest import connected, executor_on
from tests.dask.lab import cluster
from tests.dask.places import Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not docker_host(), reason="no engine; scripts/ensure-docker starts one"),
]

COPIES = """
data = open('/lc/in/model').read()
open('/lc/out/model', 'w').write(data + ' again')
print('copied', flush=True)
input()
"""


async def test_a_job_runs_in_docker_on_a_worker_if_the_nodes_settings_say_so(
    shelf: Shelf, manifest: Digest, tmp_path: Path
) -> None:
    wishes = SandboxWishes(engine="docker", host=docker_host())
    (tmp_path / "model").write_text("a model")
    with tempfile.TemporaryDirectory(prefix="lc-dask-") as name, cluster(Path(name)) as lab:
        lab.start_worker("only")
        executor = executor_on(lab, shelf, sandbox=wishes)
        async with connected(executor, 1):
            found = executor.capabilities()
            place = Place(executor, await executor.images.prepare(manifest))
            async with place.start(COPIES, inputs={"model": tmp_path / "model"}) as run:
                assert await run.read_line() == b"copied"
                taken = await run.take("model", tmp_path / "taken", bytes_max=ByteCount(MIB))

    assert found is not None
    assert found.version.startswith("docker ")
    assert Enforced.MEMORY_HARD in found.enforced
    assert taken.path.read_text() == "a model again"
