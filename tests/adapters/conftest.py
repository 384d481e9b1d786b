"""What tests of adapters share: a root file system and the sandboxes that this machine can offer."""

import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.adapters.cgroups import remove_groups
from lc_node.adapters.sandbox_canary import canary_program
from tests.adapters.jobs import SANDBOXES, Workshop, docker_host, sandbox_called
from tests.adapters.leftovers import groups_of, leftovers
from tests.adapters.plain_user import plain_user
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
    for place in groups_of(name):
        remove_groups(place)


@pytest.fixture(params=SANDBOXES)
def sandbox_name(request: pytest.FixtureRequest) -> str:
    """Which sandbox, and as whom: every test that asks for ``workshop`` runs once for each."""
    name = request.param
    assert isinstance(name, str)
    return name


@pytest.fixture
def workshop(
    request: pytest.FixtureRequest, sandbox_name: str, rootfs: Path, owner: str, folder: Path
) -> Iterator[Workshop]:
    """A sandbox that is ready to run programs; as a plain user the whole test is that user.

    Whatever a hostile job does, nothing of it may be left at the end of its test.
    """
    with contextlib.ExitStack() as stack:
        if sandbox_name == "bubblewrap-root" and os.geteuid() != 0:
            pytest.skip("control groups need root")
        if sandbox_name == "docker" and not docker_host():
            pytest.skip("no engine; scripts/ensure-docker starts one")
        if sandbox_name == "bubblewrap-user":
            folder.chmod(0o777)
            stack.enter_context(plain_user(rootfs))
        yield Workshop(
            sandbox=sandbox_called(sandbox_name, owner), rootfs=rootfs, name=sandbox_name
        )
    if request.node.path.name.startswith("test_hostile"):
        assert leftovers(sandbox_name, owner) == []


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for a test's files that any user can reach, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="lc-folder-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def image_root(tmp_path: Path) -> Path:
    """Where an image is unpacked to; beside it lies a file that no image may reach."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("ours")
    return tmp_path / "image" / "rootfs"
