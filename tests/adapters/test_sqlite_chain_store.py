"""The chain store keeps what it acknowledged, refuses what does not follow, and says why."""

import hashlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.chain.types import BlockId, ChainId, Digest, Epoch, Height, JobId
from lc_node.ports.stores import GapInChain, StorageBroken, StorageFull, StoredBlock

CHAIN = ChainId(Digest(b"\1" * 32))
JOB = JobId(Digest(b"\2" * 32))

APPEND_FOREVER = """
import sys
from pathlib import Path
from tests.adapters.test_sqlite_chain_store import CHAIN, block
from lc_node.adapters.sqlite_chain_store import SqliteChainStore

store = SqliteChainStore.open(Path(sys.argv[1]), CHAIN)
for height in range(1_000_000):
    store.append(block(height))
    print(height, flush=True)
"""


def block_id(height: int, branch: str = "main") -> BlockId:
    return BlockId(Digest(hashlib.sha256(f"{branch}/{height}".encode()).digest()))


def block(
    height: int,
    *,
    branch: str = "main",
    changes: dict[bytes, bytes | None] | None = None,
    receipts: tuple[tuple[JobId, bytes], ...] = (),
) -> StoredBlock:
    return StoredBlock(
        height=Height(height),
        block_id=block_id(height, branch),
        block=b"block %d" % height,
        certificate=b"" if height % 2 else b"certificate %d" % height,
        changes={b"height": b"%d" % height} if changes is None else changes,
        receipts=receipts,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chain.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteChainStore]:
    opened = SqliteChainStore.open(path, CHAIN)
    yield opened
    opened.close()


def test_an_empty_store_has_no_tip(store: SqliteChainStore) -> None:
    assert store.tip() is None


def test_the_tip_is_the_last_block_appended(store: SqliteChainStore) -> None:
    store.append(block(0))
    store.append(block(1))

    assert store.tip() == (1, block_id(1))


def test_a_block_is_found_by_its_height_and_its_id(store: SqliteChainStore) -> None:
    store.append(block(0))

    assert store.block_at(Height(0)) == b"block 0"
    assert store.height_of(block_id(0)) == 0


def test_an_unknown_block_is_none(store: SqliteChainStore) -> None:
    assert store.block_at(Height(7)) is None
    assert store.height_of(block_id(7)) is None
    assert store.certificate_at(Height(7)) is None


def test_a_block_without_a_certificate_of_its_own_has_none(store: SqliteChainStore) -> None:
    store.append(block(0))
    store.append(block(1))

    assert store.certificate_at(Height(0)) == b"certificate 0"
    assert store.certificate_at(Height(1)) is None


def test_entries_are_the_state_after_the_tip_sorted_by_key(store: SqliteChainStore) -> None:
    store.append(block(0, changes={b"c": b"1", b"a": b"1", b"b": b"1"}))
    store.append(block(1, changes={b"b": None, b"a": b"2"}))

    assert list(store.entries()) == [(b"a", b"2"), (b"c", b"1")]


def test_a_block_that_came_while_entries_are_read_is_not_seen(store: SqliteChainStore) -> None:
    store.append(block(0, changes={b"a": b"old", b"b": b"old"}))
    entries = store.entries()
    first = next(entries)
    store.append(block(1, changes={b"b": b"new"}))

    assert [first, *entries] == [(b"a", b"old"), (b"b", b"old")]


def test_receipts_come_back_in_chain_order(store: SqliteChainStore) -> None:
    other = JobId(Digest(b"\3" * 32))
    store.append(block(0, receipts=((JOB, b"posted"), (other, b"posted"), (JOB, b"bid"))))
    store.append(block(1, receipts=((JOB, b"settled"),)))

    assert store.receipts_of(JOB) == [(0, b"posted"), (0, b"bid"), (1, b"settled")]
    assert store.receipts_at(Height(0)) == [(JOB, b"posted"), (other, b"posted"), (JOB, b"bid")]


def test_the_same_block_again_changes_nothing(store: SqliteChainStore) -> None:
    store.append(block(0, receipts=((JOB, b"posted"),)))
    store.append(block(1))
    store.append(block(0, receipts=((JOB, b"posted"),)))

    assert store.tip() == (1, block_id(1))
    assert store.receipts_of(JOB) == [(0, b"posted")]


def test_a_gap_is_refused(store: SqliteChainStore) -> None:
    store.append(block(0))

    with pytest.raises(GapInChain, match="block 2 does not follow height 0"):
        store.append(block(2))


def test_the_first_block_must_be_genesis(store: SqliteChainStore) -> None:
    with pytest.raises(GapInChain):
        store.append(block(1))


def test_another_block_at_a_final_height_is_refused(store: SqliteChainStore) -> None:
    store.append(block(0))

    with pytest.raises(GapInChain, match="another block is final"):
        store.append(block(0, branch="fork"))


def test_a_snapshot_replaces_everything_but_genesis(store: SqliteChainStore) -> None:
    store.append(block(0, changes={b"old": b"1"}, receipts=((JOB, b"posted"),)))
    store.append(block(1))
    store.adopt(block(600, changes={b"new": b"1"}), ())
    store.append(block(601, changes={}))

    assert store.tip() == (601, block_id(601))
    assert list(store.entries()) == [(b"new", b"1")]
    assert store.receipts_of(JOB) == []
    assert [store.block_at(Height(n)) for n in (0, 1, 600)] == [b"block 0", None, b"block 600"]
    assert store.first() == 600


def test_ends_of_epochs_come_with_their_last_blocks_and_with_snapshots(
    store: SqliteChainStore,
) -> None:
    store.append(block(0))
    store.append(replace(block(1), epoch_end=(Epoch(0), b"end of 0")))
    store.put_epoch(Epoch(1), b"end of 1")
    store.adopt(block(600), ((Epoch(2), b"end of 2"),))

    ends = [store.epoch_at(Epoch(number)) for number in range(4)]
    assert ends == [b"end of 0", b"end of 1", b"end of 2", None]


def test_every_block_is_kept_from_the_first_on(store: SqliteChainStore) -> None:
    assert store.first() == 1
    for height in range(3):
        store.append(block(height))

    assert store.first() == 1


def test_pruning_keeps_genesis_what_is_new_and_ends_of_epochs(store: SqliteChainStore) -> None:
    for height in range(10):
        end = (Epoch(0), b"end") if height == 3 else None
        receipt = (JOB, b"%d" % height)
        store.append(replace(block(height, receipts=(receipt,)), epoch_end=end))
    store.prune(blocks_below=Height(7), receipts_below=Height(5))

    assert [h for h in range(10) if store.block_at(Height(h)) is not None] == [0, 7, 8, 9]
    assert [height for height, _ in store.receipts_of(JOB)] == [5, 6, 7, 8, 9]
    assert (store.first(), store.epoch_at(Epoch(0))) == (7, b"end")


def test_receipts_are_not_pruned_before_their_blocks(store: SqliteChainStore) -> None:
    for height in range(4):
        store.append(block(height, receipts=((JOB, b"told"),)))
    store.prune(blocks_below=Height(2), receipts_below=Height(4))

    assert [height for height, _ in store.receipts_of(JOB)] == [2, 3]


def test_much_is_pruned_a_part_at_a_time(store: SqliteChainStore) -> None:
    for height in range(1_500):
        store.append(block(height))
    store.prune(blocks_below=Height(1_400), receipts_below=Height(0))
    first = store.first()
    store.prune(blocks_below=Height(1_400), receipts_below=Height(0))

    assert (first, store.first()) == (1_001, 1_400)


def test_pruned_room_is_used_again(store: SqliteChainStore, path: Path) -> None:
    def grow(first: int, last: int) -> None:
        for height in range(first, last):
            store.append(replace(block(height), block=bytes(10_000)))
            store.prune(blocks_below=Height(height - 20), receipts_below=Height(0))
        store.secure()

    grow(0, 200)
    size = path.stat().st_size
    grow(200, 600)

    assert path.stat().st_size <= size * 1.1


def test_a_store_of_the_version_before_is_brought_up_to_date(path: Path) -> None:
    store = SqliteChainStore.open(path, CHAIN)
    store.append(block(0))
    store.close()
    older = sqlite3.connect(path, isolation_level=None)
    older.execute("DROP TABLE epochs")
    older.execute("PRAGMA user_version = 1")
    older.close()
    again = SqliteChainStore.open(path, CHAIN)

    assert (again.tip(), again.epoch_at(Epoch(0))) == ((0, block_id(0)), None)
    again.close()


def test_a_refused_block_leaves_no_trace(store: SqliteChainStore) -> None:
    store.append(block(0, changes={b"a": b"1"}))
    broken = block(1, changes={b"a": b"2"}, receipts=((JOB, "not bytes"),))  # type: ignore[arg-type]  # on purpose

    with pytest.raises(sqlite3.IntegrityError):
        store.append(broken)
    assert (store.tip(), list(store.entries())) == ((0, block_id(0)), [(b"a", b"1")])


def test_everything_is_there_after_reopening(path: Path) -> None:
    first = SqliteChainStore.open(path, CHAIN)
    first.append(block(0))
    first.close()
    second = SqliteChainStore.open(path, CHAIN)

    assert second.tip() == (0, block_id(0))
    second.close()


def test_the_store_of_another_chain_is_refused(store: SqliteChainStore, path: Path) -> None:
    with pytest.raises(StorageBroken, match="its own --home"):
        SqliteChainStore.open(path, ChainId(Digest(b"other chain".ljust(32))))
    assert store.tip() is None


def test_a_store_of_a_newer_version_is_refused(store: SqliteChainStore, path: Path) -> None:
    store.close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 3")
    newer.close()

    with pytest.raises(StorageBroken, match=r"newer version \(schema 3, this one knows 2\)"):
        SqliteChainStore.open(path, CHAIN)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"\0not a database" * 500)

    with pytest.raises(StorageBroken, match="damaged"):
        SqliteChainStore.open(path, CHAIN)


def test_another_programs_database_is_refused(path: Path) -> None:
    foreign = sqlite3.connect(path)
    foreign.execute("PRAGMA application_id = 77")
    foreign.close()

    with pytest.raises(StorageBroken, match="another program"):
        SqliteChainStore.open(path, CHAIN)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageBroken, match="check who owns its folder"):
        SqliteChainStore.open(tmp_path / "missing" / "chain.db", CHAIN)


def test_a_full_disk_is_named_and_the_tip_stays(store: SqliteChainStore) -> None:
    store.append(block(0))
    store._writer.execute("PRAGMA max_page_count = 20")

    with pytest.raises(StorageFull, match="No space left to write"):
        store.append(block(1, changes={bytes([n]) * 32: bytes(4096) for n in range(64)}))
    assert store.tip() == (0, block_id(0))


def test_a_store_that_was_full_goes_on_when_there_is_room(store: SqliteChainStore) -> None:
    store.append(block(0))
    store._writer.execute("PRAGMA max_page_count = 20")
    large = block(1, changes={bytes([n]) * 32: bytes(4096) for n in range(64)})
    with pytest.raises(StorageFull):
        store.append(large)
    store._writer.execute("PRAGMA max_page_count = 1000000")
    store.append(large)

    assert store.tip() == (1, block_id(1))


def test_what_a_killed_process_acknowledged_is_there(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", APPEND_FOREVER, str(path)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    for _ in range(200):
        writer.stdout.readline()
    writer.kill()
    acknowledged = 199 + len(writer.stdout.read().splitlines())
    writer.stdout.close()
    writer.wait()
    store = SqliteChainStore.open(path, CHAIN)
    tip = store.tip()

    assert tip is not None
    assert tip[0] >= acknowledged
    assert dict(store.entries()) == {b"height": b"%d" % tip[0]}
    store.close()


def test_what_was_secured_does_not_wait_in_the_write_ahead_log(
    store: SqliteChainStore, path: Path, tmp_path: Path
) -> None:
    store.append(block(0))
    store.append(block(1))

    store.secure()

    without_log = tmp_path / "after-the-cut.db"
    without_log.write_bytes(path.read_bytes())
    survivor = SqliteChainStore(without_log)
    tip = survivor.tip()
    survivor.close()
    assert tip is not None
    assert tip[0] == 1
