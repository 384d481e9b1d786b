"""What people write themselves goes along, whatever way it came onto the path; what tells of them does not."""

import os
import zipfile
from pathlib import Path

import pytest

from tests.jupyter.snapshots.projects import CELL, DISK, EXPECTED, Desk, make_desk, make_plain_desk
from tests.jupyter.snapshots.pythons import Packaged
from tests.jupyter.snapshots.sandboxed import files_naming, losses_inside

pytestmark = pytest.mark.slow

NAME = "alicia-w"
SMALL = """
def train(trial):
    return b"model"
def evaluate(model):
    return [0.5]
"""
PLAIN_CELL = """
import beside

def train(trial):
    return beside.VALUE

def evaluate(model):
    return [0.5]
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Desk:
    return make_desk(tmp_path_factory.mktemp("people") / NAME, wheel)


@pytest.fixture(scope="module")
def packaged(desk: Desk, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Packaged:
    folder = tmp_path_factory.mktemp("image")
    return desk.python.package(
        CELL, folder, cache=shared_cache, notebook=desk.notebook, include=["data"]
    )


def test_everything_that_the_cell_uses_is_the_same_inside_as_outside(packaged: Packaged) -> None:
    assert packaged.outside == EXPECTED
    assert losses_inside(packaged.digest, packaged.folder / "blobs") == EXPECTED


def test_sources_come_from_where_they_lie(packaged: Packaged) -> None:
    assert packaged.said["local_files"] == [
        f"opt/local/{name}"
        for name in (
            *("beside.py", "deeper/__init__.py", "deeper/inner.py", "fast.so"),
            *("finder_package/__init__.py", "finder_package/n", "from_a_path.py"),
            *("hatched/__init__.py", "hatched/part.py", "shared/one.py", "shared/two.py"),
        )
    ]


def test_no_folder_of_this_machine_and_no_persons_name_is_in_any_byte_of_the_image(
    packaged: Packaged, desk: Desk
) -> None:
    assert files_naming(packaged, NAME, DISK, desk.home.parent) == []


def test_a_driver_is_neither_sought_nor_shipped(packaged: Packaged) -> None:
    assert packaged.said["missing"] == {}
    assert [n for n in files_naming(packaged, "libcuda.so.1") if n.endswith("libcuda.so.1")] == []
    assert any(n.endswith("libkernels.so") for n in files_naming(packaged, "libcuda.so.1"))


def test_code_that_a_stray_file_runs_at_start_is_told_by_the_files_name(
    packaged: Packaged,
) -> None:
    assert packaged.said["startup_code"] == ["hook.pth"]


def test_a_module_in_a_zipped_egg_is_refused_by_name(
    desk: Desk, shared_cache: Path, tmp_path: Path
) -> None:
    egg = tmp_path / "zipped-1.0-py3.egg"
    with zipfile.ZipFile(egg, "w") as archive:
        archive.writestr("zipped/__init__.py", "VALUE = 1\n")
    cell = f"import sys\nsys.path.append({str(egg)!r})\nimport zipped\n" + SMALL

    with pytest.raises(AssertionError, match=r"the module zipped lies in zipped-1\.0-py3\.egg"):
        desk.python.package(cell, tmp_path / "image", cache=shared_cache)


def test_two_people_with_equal_environments_make_the_same_image(
    wheel: Path, tmp_path: Path
) -> None:
    digests = []
    for name, umask in (("bo", 0o077), ("christopher-robin", 0o022)):
        before = os.umask(umask)
        try:
            desk = make_plain_desk(tmp_path / name, wheel)
        finally:
            os.umask(before)
        packaged = desk.python.package(
            PLAIN_CELL,
            tmp_path / f"image-{name}",
            cache=tmp_path / f"cache-{name}",
            notebook=desk.notebook,
            include=["data"],
        )
        digests.append(packaged.digest)

    assert digests[0] == digests[1]


def test_a_second_submission_sends_what_changed_and_nothing_else(
    desk: Desk, packaged: Packaged, shared_cache: Path, tmp_path: Path
) -> None:
    changed = desk.python.package(
        CELL.replace("0.5", "0.25"),
        tmp_path,
        cache=shared_cache,
        notebook=desk.notebook,
        include=["data"],
    )

    fresh = {title for title, d in changed.titles.items() if d not in packaged.sizes}
    documents = changed.said["total_bytes"] - sum(changed.sizes.values())
    sent = sum(changed.sizes[changed.titles[title]] for title in fresh) + documents
    assert fresh == {"code"}
    assert sent <= 0.001 * changed.said["total_bytes"]
