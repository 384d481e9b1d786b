"""The vote store never forgets a vote, never holds two of a kind, and has one owner."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lc_node.adapters.process_lock import ProcessLock
from lc_node.adapters.sqlite_vote_reader import read_certificates
from lc_node.adapters.sqlite_vote_store import VIEWS_ARCHIVED, VIEWS_KEPT, SqliteVoteStore
from lc_node.chain.types import BlockId, Digest, Epoch, View
from lc_node.chain.votes import VoteKind
from lc_node.ports.stores import (
    ConflictingVote,
    NodeAlreadyRunning,
    StorageBroken,
    StorageFull,
)

EPOCH = Epoch(3)

VOTE_FOREVER = """
import sys
from pathlib import Path
from tests.adapters.test_sqlite_vote_store import vote
from lc_node.adapters.sqlite_vote_store import SqliteVoteStore

store = SqliteVoteStore.open(Path(sys.argv[1]))
for view in range(1_000_000):
    vote(store, view)
    print(view, flush=True)
"""

HOLD = """
import sys
from pathlib import Path
from lc_node.adapters.process_lock import ProcessLock

lock = ProcessLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def vote(
    store: SqliteVoteStore,
    view: int,
    data: bytes = b"vote",
    *,
    kind: VoteKind = VoteKind.NOTARIZE,
    epoch: Epoch = EPOCH,
) -> None:
    store.put_vote(
        epoch=epoch, view=View(view), kind=kind, vote=data, certificate=b"because %d" % view
    )


def certify(store: SqliteVoteStore, view: int, epoch: Epoch = EPOCH) -> None:
    store.put_certificate(
        epoch=epoch, view=View(view), kind=VoteKind.NOTARIZE, data=b"certificate %d" % view
    )


def keep_block(store: SqliteVoteStore, view: int, epoch: Epoch = EPOCH) -> None:
    block_id = BlockId(Digest(bytes([view]) * 32))
    store.put_block(epoch=epoch, view=View(view), block_id=block_id, data=b"body %d" % view)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "votes.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteVoteStore]:
    opened = SqliteVoteStore.open(path)
    yield opened
    opened.close()


def test_votes_come_back_in_the_order_signed(store: SqliteVoteStore) -> None:
    vote(store, 2, b"second view first")
    vote(store, 1, b"then the first")

    assert store.votes(EPOCH) == [
        (b"second view first", b"because 2"),
        (b"then the first", b"because 1"),
    ]


def test_a_second_different_vote_is_refused(store: SqliteVoteStore) -> None:
    vote(store, 1, b"this")

    with pytest.raises(ConflictingVote, match="NOTARIZE of epoch 3, view 1 is signed already"):
        vote(store, 1, b"that")
    assert store.votes(EPOCH) == [(b"this", b"because 1")]


def test_the_same_vote_again_changes_nothing(store: SqliteVoteStore) -> None:
    vote(store, 1, b"this")
    vote(store, 1, b"this")

    assert len(store.votes(EPOCH)) == 1


def test_votes_of_two_kinds_in_one_view_are_both_kept(store: SqliteVoteStore) -> None:
    vote(store, 1, kind=VoteKind.NOTARIZE)
    vote(store, 1, kind=VoteKind.NULLIFY)

    assert len(store.votes(EPOCH)) == 2


def test_votes_of_another_epoch_are_apart(store: SqliteVoteStore) -> None:
    vote(store, 1, b"old", epoch=Epoch(2))
    vote(store, 1, b"new", epoch=Epoch(3))

    assert store.votes(Epoch(2)) == [(b"old", b"because 1")]


def test_certificates_come_back_by_view(store: SqliteVoteStore) -> None:
    certify(store, 2)
    certify(store, 1)

    assert store.certificates(EPOCH) == [b"certificate 1", b"certificate 2"]


def test_blocks_come_back_by_view(store: SqliteVoteStore) -> None:
    keep_block(store, 2)
    keep_block(store, 1)

    assert store.blocks(EPOCH) == [b"body 1", b"body 2"]


def test_a_batch_is_kept_as_a_whole(store: SqliteVoteStore) -> None:
    with store.batch():
        keep_block(store, 1)
        certify(store, 1)
        vote(store, 1)

    assert (len(store.blocks(EPOCH)), len(store.certificates(EPOCH))) == (1, 1)
    assert len(store.votes(EPOCH)) == 1


def test_a_batch_with_a_conflicting_vote_leaves_nothing(store: SqliteVoteStore) -> None:
    vote(store, 1, b"this")
    with suppress(ConflictingVote), store.batch():
        keep_block(store, 1)
        vote(store, 1, b"that")

    assert store.blocks(EPOCH) == []


def test_pruning_forgets_what_lies_below_a_view(store: SqliteVoteStore) -> None:
    for view in (1, 2, 3):
        certify(store, view)
        keep_block(store, view)
    certify(store, 9, epoch=Epoch(2))
    store.prune(epoch=EPOCH, below=View(3))

    assert store.certificates(EPOCH) == [b"certificate 3"]
    assert store.blocks(EPOCH) == [b"body 3"]
    assert store.certificates(Epoch(2)) == []


def test_what_is_pruned_is_archived_for_a_while(store: SqliteVoteStore, path: Path) -> None:
    certify(store, 9, epoch=Epoch(0))
    certify(store, 8, epoch=Epoch(1))
    certify(store, 1)
    certify(store, 5)
    vote(store, 4, kind=VoteKind.FINALIZE)
    store.prune(epoch=EPOCH, below=View(5))

    kept = {b"certificate 8", b"certificate 1", b"because 4", b"certificate 5"}
    assert set(read_certificates(path)) == kept


def test_the_archive_of_an_epoch_without_end_is_bounded(
    store: SqliteVoteStore, path: Path
) -> None:
    certify(store, 1)
    certify(store, 2)
    store.prune(epoch=EPOCH, below=View(2 + VIEWS_ARCHIVED))

    assert read_certificates(path) == [b"certificate 2"]


def test_a_store_from_before_there_was_an_archive_gets_one(path: Path) -> None:
    first = SqliteVoteStore.open(path)
    certify(first, 1)
    first._database.execute("DROP TABLE archive")
    first._database.execute("PRAGMA user_version = 2")
    first.close()
    with pytest.raises(StorageBroken, match="start its node once"):
        read_certificates(path)
    SqliteVoteStore.open(path).close()

    assert read_certificates(path) == [b"certificate 1"]


def test_a_vote_store_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(StorageBroken, match=r"votes\.db does not exist"):
        read_certificates(path)


def test_pruning_keeps_the_votes_of_this_epoch_and_the_last(store: SqliteVoteStore) -> None:
    for epoch in (1, 2, 3):
        vote(store, 1, epoch=Epoch(epoch))
    store.prune(epoch=EPOCH, below=View(100))

    assert [len(store.votes(Epoch(epoch))) for epoch in (1, 2, 3)] == [0, 1, 1]


def test_a_second_store_of_the_same_home_is_refused(store: SqliteVoteStore, path: Path) -> None:
    with pytest.raises(NodeAlreadyRunning, match=f"process {os.getpid()} already runs"):
        SqliteVoteStore.open(path)
    assert store.votes(EPOCH) == []


def test_a_closed_store_can_be_opened_again(path: Path) -> None:
    first = SqliteVoteStore.open(path)
    vote(first, 1)
    first.close()
    second = SqliteVoteStore.open(path)

    assert len(second.votes(EPOCH)) == 1
    second.close()


def test_a_lock_names_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "node.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(NodeAlreadyRunning) as caught:
            ProcessLock.acquire(path)

    assert caught.value.pid == holder.pid


def test_a_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "node.lock"
    subprocess.run([sys.executable, "-c", HOLD, str(path)], input=b"", check=True)
    lock = ProcessLock.acquire(path)

    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()


def test_a_full_disk_is_named_and_the_vote_is_not_kept(store: SqliteVoteStore) -> None:
    store._database.execute("PRAGMA max_page_count = 10")

    with pytest.raises(StorageFull):
        vote(store, 1, bytes(100_000))
    assert store.votes(EPOCH) == []


def test_votes_are_fsynced_at_every_commit(store: SqliteVoteStore) -> None:
    full = 2  # sqlite.org/pragma.html#pragma_synchronous

    assert store._database.execute("PRAGMA synchronous").fetchone() == (full,)


def test_what_a_killed_process_acknowledged_is_there(path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", VOTE_FOREVER, str(path)], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    for _ in range(100):
        writer.stdout.readline()
    writer.kill()
    acknowledged = 100 + len(writer.stdout.read().splitlines())
    writer.stdout.close()
    writer.wait()
    store = SqliteVoteStore.open(path)

    assert len(store.votes(EPOCH)) >= acknowledged
    store.close()


def test_votes_long_past_are_forgotten_so_that_a_restart_stays_quick(
    store: SqliteVoteStore,
) -> None:
    vote(store, 5)
    vote(store, VIEWS_KEPT + 5)

    store.prune(epoch=EPOCH, below=View(VIEWS_KEPT + 6))

    assert store.votes(EPOCH) == [(b"vote", b"because %d" % (VIEWS_KEPT + 5))]


def test_a_new_store_says_nothing_against_signing(store: SqliteVoteStore) -> None:
    assert (store.signs_from(), store.has_finalized()) == (0, False)


def test_silence_once_kept_outlives_restarts_and_is_never_taken_back(
    store: SqliteVoteStore, path: Path
) -> None:
    store.sign_from(Epoch(7))
    store.sign_from(Epoch(3))
    store.close()
    again = SqliteVoteStore.open(path)

    assert again.signs_from() == 7
    again.close()


@pytest.mark.parametrize("kind", VoteKind)
def test_only_a_finalize_shows_that_we_were_with_the_others(
    kind: VoteKind, store: SqliteVoteStore
) -> None:
    vote(store, 1, kind=kind)

    assert store.has_finalized() == (kind is VoteKind.FINALIZE)
