"""Blobs leave on the disk what others on it cannot do without."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.chain.types import ByteCount, Digest
from lc_node.ports.stores import DiskReserved, Naming
from tests.e2e.small_disk import MEBIBYTES, SmallDisk, mounted

MIB = 1024 * 1024
QUOTA = ByteCount(1024 * MIB)
RESERVE = ByteCount(4 * MIB)
LARGE = ByteCount((MEBIBYTES - 8) * MIB)
"""Fits beside the reserve, but not beside another like it."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of our own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a disk needs root")
    with mounted(tmp_path / "disk"):
        yield tmp_path / "disk"


@pytest.fixture
def store(disk: Path) -> DirectoryBlobStore:
    return DirectoryBlobStore(disk / "blobs", bytes_max=QUOTA, disk_reserve=RESERVE)


def file_of(folder: Path, letter: str, size: int) -> Path:
    path = folder / letter
    path.write_bytes(letter.encode() * size)
    return path


def named(letter: str, size: int) -> Digest:
    return Digest(hashlib.sha256(letter.encode() * size).digest())


def test_a_blob_that_would_touch_the_reserve_is_refused(
    store: DirectoryBlobStore, tmp_path: Path
) -> None:
    with pytest.raises(DiskReserved, match="disk_reserve_bytes"):
        store.put_file(file_of(tmp_path, "a", (MEBIBYTES - 3) * MIB), Naming.SHA256)


def test_a_blob_that_leaves_the_reserve_is_kept(store: DirectoryBlobStore, tmp_path: Path) -> None:
    digest, _size = store.put_file(file_of(tmp_path, "a", LARGE), Naming.SHA256)

    assert store.path_of(digest) is not None


def test_an_older_blob_makes_room_where_the_disk_is_short(
    store: DirectoryBlobStore, tmp_path: Path
) -> None:
    older, _size = store.put_file(file_of(tmp_path, "a", LARGE), Naming.SHA256)

    newer, _size = store.put_file(file_of(tmp_path, "b", LARGE), Naming.SHA256)

    assert store.path_of(older) is None
    assert store.path_of(newer) is not None


def test_nothing_is_evicted_for_what_does_not_fit_after_all(
    store: DirectoryBlobStore, disk: Path, tmp_path: Path
) -> None:
    kept, _size = store.put_file(file_of(tmp_path, "a", MIB), Naming.SHA256)
    SmallDisk(disk).fill()

    with pytest.raises(DiskReserved):
        store.put_bytes(b"small")
    assert store.path_of(kept) is not None


def test_what_a_download_will_still_need_is_not_given_away(store: DirectoryBlobStore) -> None:
    first = store.partial(named("a", LARGE), LARGE, Naming.SHA256)

    with pytest.raises(DiskReserved):
        store.partial(named("b", LARGE), LARGE, Naming.SHA256)
    first.close()


def test_a_resumed_download_needs_only_what_is_missing(store: DirectoryBlobStore) -> None:
    first = store.partial(named("a", LARGE), LARGE, Naming.SHA256)
    first.write(b"a" * (LARGE - MIB))
    first.close()

    again = store.partial(named("a", LARGE), LARGE, Naming.SHA256)

    again.write(b"a" * MIB)
    assert again.finish().stat().st_size == LARGE
