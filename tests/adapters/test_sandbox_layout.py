"""A run that has nothing but /tmp: its inputs, its outputs, and where it starts."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import BadOutputFile, Layout
from tests.adapters.jobs import LIMITS, MIB, Workshop, all_lines
from tests.adapters.rootfs import PYTHON

TRY = "import os\ntry: {step}\nexcept OSError as e: print(e.strerror)\nelse: print('done')"
IN_TMP = Layout.TMP


@pytest.fixture
def model(folder: Path) -> Path:
    """A file of the host, which everybody could write."""
    path = folder / "model"
    path.write_text("weights")
    path.chmod(0o666)
    return path


async def test_a_file_is_taken_from_tmp(workshop: Workshop, folder: Path) -> None:
    code = "open('/tmp/model', 'w').write('late')"
    async with workshop.start(code, layout=IN_TMP) as run:
        assert (await run.wait()).exit_code == 0
        taken = await run.take("model", folder / "taken", bytes_max=ByteCount(100))

    assert taken.path.read_text() == "late"


async def test_a_link_in_tmp_is_not_taken(workshop: Workshop, folder: Path) -> None:
    code = "import os; os.symlink('/etc/hostname', '/tmp/model')"
    async with workshop.start(code, layout=IN_TMP) as run:
        assert (await run.wait()).exit_code == 0
        with pytest.raises(BadOutputFile):
            await run.take("model", folder / "taken", bytes_max=ByteCount(100))


async def test_tmp_is_full_at_the_size_of_the_outputs(workshop: Workshop) -> None:
    code = """
import os
fd = os.open('/tmp/x', os.O_CREAT | os.O_WRONLY)
n = 0
try:
    while True: n += os.write(fd, bytes(65536))
except OSError as error: print(error.errno, n)
"""
    limits = replace(LIMITS, out_bytes=ByteCount(2 * MIB), scratch_bytes=ByteCount(0))
    async with workshop.start(code, limits=limits, layout=IN_TMP) as run:
        lines = await all_lines(run)

    assert lines == [b"28 %d" % (2 * MIB)]


async def test_an_input_is_read_in_tmp(workshop: Workshop, model: Path) -> None:
    lines = await workshop.lines("print(open('/tmp/model').read())", {"model": model}, IN_TMP)

    assert lines == ["weights"]


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("open('/tmp/model', 'w')", "Read-only file system"),
        ("os.truncate('/tmp/model', 0)", "Read-only file system"),
        ("os.chmod('/tmp/model', 0o777)", "Read-only file system"),
        ("os.unlink('/tmp/model')", "Device or resource busy"),
        ("os.rename('/tmp/model', '/tmp/other')", "Device or resource busy"),
        ("os.link('/tmp/model', '/tmp/other')", "Invalid cross-device link"),
    ],
)
async def test_an_input_in_tmp_can_be_neither_changed_nor_moved(
    workshop: Workshop, model: Path, step: str, error: str
) -> None:
    lines = await workshop.lines(TRY.format(step=step), {"model": model}, IN_TMP)

    assert lines == [error]


async def test_files_may_be_written_beside_an_input_in_tmp(
    workshop: Workshop, model: Path
) -> None:
    step = "open('/tmp/cache', 'w').write('x')"

    assert await workshop.lines(TRY.format(step=step), {"model": model}, IN_TMP) == ["done"]


@pytest.mark.parametrize("place", ["/lc/in", "/lc/out"])
async def test_the_folders_of_the_other_layout_hold_nothing_and_take_nothing(
    workshop: Workshop, place: str
) -> None:
    code = TRY.format(step=f"print(os.listdir('{place}')); open('{place}/x', 'w')")

    assert await workshop.lines(code, layout=IN_TMP) == ["[]", "Read-only file system"]


@pytest.fixture(scope="session")  # made before a test becomes a plain user
def rootfs_with_folders(rootfs: Path) -> Path:
    """A root file system with a working folder, and with some that are none; others may copy theirs without them."""
    root = rootfs.with_name("rootfs-with-folders")
    shutil.copytree(rootfs, root, symlinks=True, copy_function=os.link)
    for name in ("app", ".app", "closed"):
        (root / "opt" / name).mkdir()
    (root / "opt/closed").chmod(0o700)
    (root / "opt/file").touch()
    (root / "opt/host").symlink_to("/")
    (root / "opt/link").symlink_to("app")
    return root


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/opt/app", "/opt/app"),
        ("/opt/app/", "/opt/app"),
        ("opt/app", "/opt/app"),
        ("/opt/.app", "/opt/.app"),
        ("/", "/"),
        ("", "/"),
        ("/nowhere", "/"),
        ("/opt/file", "/"),
        ("/opt/closed", "/"),
        ("/opt/link", "/"),
        ("/opt/host/etc", "/"),
        ("/opt/app/../app", "/"),
        ("/opt/a\0b", "/"),
    ],
)
async def test_a_job_starts_in_its_working_folder_if_the_image_has_it(
    rootfs_with_folders: Path, workshop: Workshop, wanted: str, found: str
) -> None:
    argv = (PYTHON, "-I", "-S", "-c", "import os; print(os.getcwd())")
    furnished = replace(workshop, rootfs=rootfs_with_folders)
    async with furnished.start_argv(argv, LIMITS, {}, working_folder=wanted) as run:
        lines = await all_lines(run)

    assert [os.fsdecode(line) for line in lines] == [found]
