"""Blobs are published whole, resumed, evicted in order, and never believed without their digest."""

import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_node.adapters.blob_hashing import hasher
from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root
from lc_node.ports.stores import (
    BlobBusy,
    BlobCorrupt,
    BlobIncomplete,
    BlobQuotaExceeded,
    Naming,
    StorageFull,
)

QUOTA = ByteCount(1000)

PUT_FOREVER = """
import sys
from pathlib import Path
from lc_node.adapters.blobs import DirectoryBlobStore

store = DirectoryBlobStore(Path(sys.argv[1]), bytes_max=10**9)
for number in range(1_000_000):
    print(store.put_bytes(b"%d" % number * 1000).hex(), flush=True)
"""


def named(data: bytes) -> Digest:
    return Digest(hashlib.sha256(data).digest())


def chunk_named(data: bytes) -> Digest:
    pieces = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
    return Digest(chunk_root([chunk_digest(piece) for piece in pieces]))


def fill(letter: str, size: int) -> bytes:
    return letter.encode() * size


@pytest.fixture
def store(tmp_path: Path) -> DirectoryBlobStore:
    return DirectoryBlobStore(tmp_path, bytes_max=QUOTA)


def test_a_small_blob_is_named_by_its_sha256(store: DirectoryBlobStore) -> None:
    digest = store.put_bytes(b"manifest")
    path = store.path_of(digest)

    assert digest == named(b"manifest")
    assert path is not None
    assert path.read_bytes() == b"manifest"


def test_an_unknown_blob_has_no_path(store: DirectoryBlobStore) -> None:
    assert store.path_of(named(b"never seen")) is None


def test_a_published_blob_cannot_be_written_by_accident(store: DirectoryBlobStore) -> None:
    path = store.path_of(store.put_bytes(b"final"))

    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o444


def test_the_same_blob_twice_takes_room_once(store: DirectoryBlobStore) -> None:
    store.put_bytes(b"twice")
    store.put_bytes(b"twice")

    assert store.used == 5


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_a_file_is_named_by_its_chunks(tmp_path: Path, size: int) -> None:
    store = DirectoryBlobStore(tmp_path / "store", bytes_max=ByteCount(10 * CHUNK_BYTES))
    file = tmp_path / "model"
    file.write_bytes(bytes(size))

    assert store.put_file(file, Naming.CHUNKS) == (chunk_named(bytes(size)), size)


def test_a_file_larger_than_the_store_is_refused(
    store: DirectoryBlobStore, tmp_path: Path
) -> None:
    file = tmp_path / "layer"
    file.write_bytes(bytes(QUOTA + 1))

    with pytest.raises(BlobQuotaExceeded, match="1001 bytes do not fit"):
        store.put_file(file, Naming.SHA256)


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=4))
def test_a_name_does_not_depend_on_how_the_bytes_arrive(data: bytes, cuts: list[int]) -> None:
    taken = hasher(Naming.CHUNKS)
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        taken.update(data[start:end])

    assert taken.digest() == chunk_named(data)


def test_pieces_that_straddle_chunks_give_the_same_name() -> None:
    data = os.urandom(2 * CHUNK_BYTES + 77)
    taken = hasher(Naming.CHUNKS)
    for at in range(0, len(data), 700_001):
        taken.update(data[at : at + 700_001])

    assert taken.digest() == chunk_named(data)


def test_a_download_is_invisible_until_it_is_finished(store: DirectoryBlobStore) -> None:
    partial = store.partial(named(b"abcdef"), ByteCount(6), Naming.SHA256)
    partial.write(b"abc")

    assert store.path_of(named(b"abcdef")) is None
    partial.write(b"def")
    assert partial.finish() == store.path_of(named(b"abcdef"))


def test_a_broken_download_goes_on_where_it_ended(store: DirectoryBlobStore) -> None:
    first = store.partial(named(b"abcdef"), ByteCount(6), Naming.SHA256)
    first.write(b"abc")
    first.close()
    second = store.partial(named(b"abcdef"), ByteCount(6), Naming.SHA256)

    assert second.offset == 3
    second.write(b"def")
    assert second.finish().read_bytes() == b"abcdef"


def test_a_download_goes_on_after_a_restart(tmp_path: Path) -> None:
    before = DirectoryBlobStore(tmp_path, bytes_max=QUOTA)
    first = before.partial(named(b"abcdef"), ByteCount(6), Naming.SHA256)
    first.write(b"abcd")
    first.close()
    after = DirectoryBlobStore(tmp_path, bytes_max=QUOTA)
    second = after.partial(named(b"abcdef"), ByteCount(6), Naming.SHA256)

    assert second.offset == 4
    second.close()


def test_wrong_bytes_are_deleted_when_the_download_finishes(store: DirectoryBlobStore) -> None:
    partial = store.partial(named(b"abcdef"), ByteCount(6), Naming.SHA256)
    partial.write(b"abcxyz")

    with pytest.raises(BlobCorrupt):
        partial.finish()
    assert (store.path_of(named(b"abcdef")), store.used) == (None, 0)


def test_more_bytes_than_announced_are_refused(store: DirectoryBlobStore) -> None:
    partial = store.partial(named(b"abc"), ByteCount(3), Naming.SHA256)

    with pytest.raises(BlobCorrupt):
        partial.write(b"abcd")
    assert store.used == 0


def test_finishing_too_early_keeps_what_came(store: DirectoryBlobStore) -> None:
    partial = store.partial(named(b"abcdef"), ByteCount(6), Naming.SHA256)
    partial.write(b"abc")
    with pytest.raises(BlobIncomplete, match="3 of 6 bytes"):
        partial.finish()
    partial.write(b"def")

    assert partial.finish().read_bytes() == b"abcdef"


def test_a_blob_has_one_writer(store: DirectoryBlobStore) -> None:
    partial = store.partial(named(b"abc"), ByteCount(3), Naming.SHA256)

    with pytest.raises(BlobBusy):
        store.partial(named(b"abc"), ByteCount(3), Naming.SHA256)
    partial.close()


def test_a_download_reserves_its_room(store: DirectoryBlobStore) -> None:
    partial = store.partial(named(b"x"), ByteCount(900), Naming.SHA256)

    assert store.used == 900
    with pytest.raises(BlobQuotaExceeded):
        store.put_bytes(bytes(200))
    partial.close()


def test_the_least_recently_used_blob_goes_first(store: DirectoryBlobStore) -> None:
    a, b = store.put_bytes(fill("a", 400)), store.put_bytes(fill("b", 400))
    store.path_of(a)
    store.put_bytes(fill("c", 400))

    assert store.path_of(a) is not None
    assert store.path_of(b) is None


def test_the_order_of_use_survives_a_restart(tmp_path: Path) -> None:
    before = DirectoryBlobStore(tmp_path, bytes_max=QUOTA)
    a, b = before.put_bytes(fill("a", 400)), before.put_bytes(fill("b", 400))
    before.path_of(a)
    after = DirectoryBlobStore(tmp_path, bytes_max=QUOTA)
    after.put_bytes(fill("c", 400))

    assert after.path_of(a) is not None
    assert after.path_of(b) is None


def test_an_abandoned_download_goes_before_a_blob(store: DirectoryBlobStore) -> None:
    kept = store.put_bytes(fill("a", 400))
    partial = store.partial(named(b"x"), ByteCount(500), Naming.SHA256)
    partial.write(bytes(499))
    partial.close()
    store.put_bytes(fill("b", 500))

    assert store.path_of(kept) is not None
    assert store.used == 900


def test_a_pinned_blob_is_never_evicted(store: DirectoryBlobStore) -> None:
    pinned = store.put_bytes(fill("a", 600))
    store.pin(pinned)

    with pytest.raises(BlobQuotaExceeded):
        store.put_bytes(fill("b", 600))
    assert store.path_of(pinned) is not None


def test_a_blob_pinned_twice_stays_until_it_is_unpinned_twice(store: DirectoryBlobStore) -> None:
    digest = store.put_bytes(fill("a", 600))
    store.pin(digest)
    store.pin(digest)
    store.unpin(digest)
    with pytest.raises(BlobQuotaExceeded):
        store.put_bytes(fill("b", 600))
    store.unpin(digest)
    store.put_bytes(fill("b", 600))

    assert store.path_of(digest) is None


def test_a_blob_that_cannot_fit_evicts_nothing(store: DirectoryBlobStore) -> None:
    pinned, other = store.put_bytes(fill("a", 500)), store.put_bytes(fill("b", 400))
    store.pin(pinned)
    with pytest.raises(BlobQuotaExceeded):
        store.put_bytes(fill("c", 600))

    assert store.path_of(other) is not None


def test_a_removed_blob_is_gone_and_frees_its_bytes(store: DirectoryBlobStore) -> None:
    digest = store.put_bytes(b"x" * 10)

    assert store.holds(digest)
    assert store.remove(digest) == 10
    assert (store.holds(digest), store.path_of(digest), store.used) == (False, None, 0)
    assert store.remove(digest) == 0


def test_a_pinned_blob_is_not_removed(store: DirectoryBlobStore) -> None:
    digest = store.put_bytes(b"x" * 10)
    store.pin(digest)

    assert store.remove(digest) == 0
    assert store.holds(digest)


def test_looking_whether_a_blob_is_here_is_no_use_of_it(tmp_path: Path) -> None:
    store = DirectoryBlobStore(tmp_path, bytes_max=ByteCount(20))
    old, new = store.put_bytes(b"o" * 10), store.put_bytes(b"n" * 10)
    assert store.holds(old)

    store.put_bytes(b"x" * 10)

    assert (store.holds(old), store.holds(new)) == (False, True)


def test_a_rotten_blob_is_found_and_removed(store: DirectoryBlobStore) -> None:
    digest = store.put_bytes(b"healthy")
    path = store.path_of(digest)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"hea1thy")

    assert not store.verify(digest, Naming.SHA256)
    assert store.path_of(digest) is None
    assert not path.exists()


def test_a_truncated_blob_counts_as_absent(store: DirectoryBlobStore) -> None:
    digest = store.put_bytes(b"healthy")
    path = store.path_of(digest)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"heal")

    assert store.path_of(digest) is None


def test_a_healthy_blob_verifies(store: DirectoryBlobStore) -> None:
    assert store.verify(store.put_bytes(b"healthy"), Naming.SHA256)


@pytest.fixture
def room_for_a_hundred_bytes() -> Iterator[None]:
    """The kernel refuses to let any file of this process grow beyond 100 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("room_for_a_hundred_bytes")
def test_a_disk_without_room_is_named_and_what_came_stays(store: DirectoryBlobStore) -> None:
    partial = store.partial(named(b"x"), ByteCount(500), Naming.SHA256)
    partial.write(bytes(60))

    with pytest.raises(StorageFull, match="No space left"):
        partial.write(bytes(60))
    assert partial.offset == partial._path.stat().st_size == 60
    partial.close()


@pytest.mark.usefixtures("room_for_a_hundred_bytes")
def test_a_blob_that_the_disk_refused_leaves_nothing(store: DirectoryBlobStore) -> None:
    with pytest.raises(StorageFull):
        store.put_bytes(bytes(200))
    assert store.used == 0
    assert not list(store._partial_folder.iterdir())


def test_what_a_killed_process_published_is_whole(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", PUT_FOREVER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    published = [writer.stdout.readline() for _ in range(50)]
    writer.kill()
    writer.stdout.close()
    writer.wait()
    store = DirectoryBlobStore(tmp_path, bytes_max=ByteCount(10**9))

    assert all(
        store.verify(Digest(bytes.fromhex(line.decode())), Naming.SHA256) for line in published
    )
    assert not list((tmp_path / "partial").iterdir())
