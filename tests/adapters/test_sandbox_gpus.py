"""GPUs: a run gets those that it was promised, or does not begin."""

from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.ports.sandbox import RunRequest, SandboxFailed
from tests.adapters.jobs import LIMITS
from tests.adapters.rootfs import ENVIRONMENT, PYTHON


async def test_bubblewrap_refuses_a_run_with_gpus_and_names_the_remedy(
    rootfs: Path, owner: str
) -> None:
    request = RunRequest(
        rootfs=rootfs,
        argv=(PYTHON, "-c", "print(1)"),
        environment=ENVIRONMENT,
        inputs={},
        limits=LIMITS,
        gpus=("GPU-1",),
    )

    with pytest.raises(SandboxFailed, match="use docker with the NVIDIA container runtime"):
        async with BubblewrapSandbox(owner).open(request):
            pass
