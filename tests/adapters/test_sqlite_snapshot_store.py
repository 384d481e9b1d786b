"""What was fetched of a state is still there after a restart."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_node.adapters.sqlite_snapshot_store import SqliteSnapshotStore
from lc_node.chain.types import Digest, Epoch

ONE, TWO = Digest(b"\1" * 32), Digest(b"\2" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "snapshot.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteSnapshotStore]:
    opened = SqliteSnapshotStore(path)
    yield opened
    opened.close()


def test_buckets_are_there_after_a_restart(store: SqliteSnapshotStore, path: Path) -> None:
    store.put([(7, TWO, b"seven"), (3, ONE, b"three")])
    again = SqliteSnapshotStore(path)

    assert (again.held(), list(again.buckets())) == (
        {3: ONE, 7: TWO},
        [(3, b"three"), (7, b"seven")],
    )
    again.close()


def test_a_bucket_takes_the_place_of_an_older_one(store: SqliteSnapshotStore) -> None:
    store.put([(3, ONE, b"old")])
    store.put([(3, TWO, b"new")])

    assert (store.held(), list(store.buckets())) == ({3: TWO}, [(3, b"new")])


def test_a_put_that_fails_leaves_nothing(store: SqliteSnapshotStore) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        store.put([(3, ONE, b"fine"), (4, ONE, "not bytes")])  # type: ignore[list-item]  # on purpose

    assert store.held() == {}


def test_epochs_are_told_as_long_as_they_follow_each_other(store: SqliteSnapshotStore) -> None:
    store.put_proofs((Epoch(number), b"%d" % number) for number in (1, 2, 3, 5))

    assert list(store.proofs(Epoch(2))) == [(2, b"2"), (3, b"3")]
    assert list(store.proofs(Epoch(4))) == []


def test_what_is_cleared_takes_no_room(store: SqliteSnapshotStore, path: Path) -> None:
    store.put([(place, ONE, bytes(10_000)) for place in range(100)])
    store.put_proofs([(Epoch(0), b"0")])
    store.clear()

    assert (store.held(), list(store.proofs(Epoch(0)))) == ({}, [])
    assert path.stat().st_size < 50_000
