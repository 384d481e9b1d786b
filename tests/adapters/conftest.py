"""What tests of adapters share: a root file system and the sandboxes that this machine can offer."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.adapters.bubblewrap_canary import canary_program
from lc_node.adapters.bubblewrap_sandbox import BubblewrapSandbox
from lc_node.adapters.cgroups import FAMILY, remove_groups
from tests.adapters.jobs import Workshop
from tests.adapters.rootfs import build_python_rootfs


@pytest.fixture(scope="session")
def rootfs() -> Iterator[Path]:
    """An interpreter, and the canary with the set-user-id bit of root."""
    folder = Path(tempfile.mkdtemp(prefix="lc-tests-"))
    folder.chmod(0o755)
    root = build_python_rootfs(folder / "rootfs")
    (root / "canary").write_bytes(canary_program())
    (root / "canary").chmod(0o4755)
    yield root
    shutil.rmtree(folder)


@pytest.fixture
def owner() -> Iterator[str]:
    """A node's name that no other test has; its control groups go with it."""
    name = f"tests-{uuid.uuid4().hex}"
    yield name
    # os.walk passes over what other tests remove meanwhile; Path.glob raises.
    for folder, children, _files in os.walk("/sys/fs/cgroup"):
        if name in children and Path(folder).name == FAMILY:
            remove_groups(Path(folder) / name)


@pytest.fixture(params=["hard", "soft"])
def workshop(request: pytest.FixtureRequest, rootfs: Path, owner: str) -> Workshop:
    """A sandbox with control groups, and one without."""
    if request.param == "hard" and os.geteuid() != 0:
        pytest.skip("control groups need root")
    sandbox = BubblewrapSandbox(owner, use_cgroups=request.param == "hard")
    return Workshop(sandbox=sandbox, rootfs=rootfs, is_hard=request.param == "hard")
