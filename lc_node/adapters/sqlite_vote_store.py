"""What we signed and saw in consensus, in a SQLite file that is fsynced before anything is sent."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from lc_node.adapters.process_lock import ProcessLock
from lc_node.adapters.sqlite import Layout, open_database, transaction, translated
from lc_node.chain.types import BlockId, Epoch, View
from lc_node.chain.votes import VoteKind
from lc_node.ports.stores import ConflictingVote

_SILENCE: Final = "CREATE TABLE silence (signs_from INTEGER NOT NULL) STRICT"
_ARCHIVE: Final = """CREATE TABLE archive (
    epoch INTEGER NOT NULL, view INTEGER NOT NULL, kind INTEGER NOT NULL,
    data BLOB NOT NULL, PRIMARY KEY (epoch, view, kind)) STRICT, WITHOUT ROWID"""
_LAYOUT: Final = Layout(
    application_id=0x4C43_5631,  # "LCV1"
    version=3,
    statements=(
        """CREATE TABLE votes (
            signed INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, view INTEGER NOT NULL,
            kind INTEGER NOT NULL, vote BLOB NOT NULL, certificate BLOB NOT NULL,
            UNIQUE (epoch, view, kind)) STRICT""",
        """CREATE TABLE certificates (
            epoch INTEGER NOT NULL, view INTEGER NOT NULL, kind INTEGER NOT NULL,
            data BLOB NOT NULL, PRIMARY KEY (epoch, view, kind)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE blocks (
            epoch INTEGER NOT NULL, view INTEGER NOT NULL, id BLOB NOT NULL,
            data BLOB NOT NULL, PRIMARY KEY (epoch, view, id)) STRICT, WITHOUT ROWID""",
        _SILENCE,
        _ARCHIVE,
    ),
    upgrades={1: (_SILENCE,), 2: (_ARCHIVE,)},
)
VIEWS_KEPT: Final = 10_000
"""Votes are kept for so many views below a finalised one: more than a power cut can take from the chain."""

EPOCHS_ARCHIVED: Final = 2
"""Certificates of so many epochs before this one are kept, and so long may evidence be late."""

VIEWS_ARCHIVED: Final = 2_000
"""Certificates are kept for so many views below a finalised one: 9 MB of each kind with 100 validators."""

_ARCHIVE_CERTIFICATES: Final = """INSERT OR IGNORE INTO archive (epoch, view, kind, data)
    SELECT epoch, view, kind, data FROM certificates WHERE (epoch, view) < (?, ?)"""
_ARCHIVE_GROUNDS: Final = """INSERT OR IGNORE INTO archive (epoch, view, kind, data)
    SELECT epoch, view, ?, certificate FROM votes
    WHERE (epoch, view) < (?, ?) AND kind = ? AND certificate <> x''"""

_INSERT_VOTE: Final = (
    "INSERT INTO votes (epoch, view, kind, vote, certificate) VALUES (?, ?, ?, ?, ?)"
)
_FIND_VOTE: Final = "SELECT vote FROM votes WHERE epoch = ? AND view = ? AND kind = ?"


class SqliteVoteStore:
    """A vote store; it holds a lock, so that no second process signs with the same key."""

    def __init__(self, path: Path, lock: ProcessLock) -> None:
        """Open the database at ``path`` under a lock that is held already; see ``open``."""
        self._path = path
        self._lock = lock
        self._using = threading.RLock()
        self._database = open_database(path, _LAYOUT, synchronous="FULL")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Lock and open the store, or create it.

        Raises:
            NodeAlreadyRunning: another process holds it.
            StorageBroken: damaged, or of a newer version.
            StorageFull: no room to create it.
        """
        lock = ProcessLock.acquire(path.with_suffix(".lock"))
        try:
            return cls(path, lock)
        except BaseException:
            lock.release()
            raise

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Group puts into one commit; if it raises, none of them happened. A batch within joins it."""
        with self._using, translated(self._path):
            if self._database.in_transaction:
                yield
                return
            with transaction(self._database):
                yield

    def put_vote(
        self, *, epoch: Epoch, view: View, kind: VoteKind, vote: bytes, certificate: bytes
    ) -> None:
        """Record our vote durably, with the certificate it rests on (may be empty)."""
        with self.batch():
            row = self._database.execute(_FIND_VOTE, (epoch, view, kind)).fetchone()
            if row is None:
                self._database.execute(_INSERT_VOTE, (epoch, view, kind, vote, certificate))
            elif row[0] != vote:
                raise ConflictingVote(epoch=epoch, view=view, kind=kind)

    def put_certificate(self, *, epoch: Epoch, view: View, kind: VoteKind, data: bytes) -> None:
        """Record an adopted certificate durably; the first of a view and kind is kept."""
        with self.batch():
            self._database.execute(
                "INSERT OR IGNORE INTO certificates (epoch, view, kind, data) VALUES (?, ?, ?, ?)",
                (epoch, view, kind, data),
            )

    def put_block(self, *, epoch: Epoch, view: View, block_id: BlockId, data: bytes) -> None:
        """Record a block body durably."""
        with self.batch():
            self._database.execute(
                "INSERT OR IGNORE INTO blocks (epoch, view, id, data) VALUES (?, ?, ?, ?)",
                (epoch, view, block_id, data),
            )

    def votes(self, epoch: Epoch) -> Sequence[tuple[bytes, bytes]]:
        """Return our votes of an epoch with their certificates, in the order signed."""
        with self._using, translated(self._path):
            return self._database.execute(
                "SELECT vote, certificate FROM votes WHERE epoch = ? ORDER BY signed", (epoch,)
            ).fetchall()

    def certificates(self, epoch: Epoch) -> Sequence[bytes]:
        """Return the epoch's certificates by view."""
        return self._column(
            "SELECT data FROM certificates WHERE epoch = ? ORDER BY view, kind", epoch
        )

    def blocks(self, epoch: Epoch) -> Sequence[bytes]:
        """Return the epoch's block bodies by view."""
        return self._column("SELECT data FROM blocks WHERE epoch = ? ORDER BY view, id", epoch)

    def signs_from(self) -> Epoch:
        """Return the first epoch in which we may sign: of those before it our record may be lost."""
        with self._using, translated(self._path):
            row = self._database.execute("SELECT max(signs_from) FROM silence").fetchone()
        return Epoch(row[0] or 0)

    def sign_from(self, epoch: Epoch) -> None:
        """Sign nothing in the epochs before this one from now on; durable, and never taken back."""
        with self.batch():
            self._database.execute("INSERT INTO silence (signs_from) VALUES (?)", (epoch,))

    def has_finalized(self) -> bool:
        """Return whether a FINALIZE of ours is recorded: who is left behind signs none, but may sign others."""
        query = "SELECT 1 FROM votes WHERE kind = ? LIMIT 1"
        with self._using, translated(self._path):
            return self._database.execute(query, (VoteKind.FINALIZE,)).fetchone() is not None

    def prune(self, *, epoch: Epoch, below: View) -> None:
        """Archive certificates below a finalised view, forget bodies, and votes and archives long past."""
        with self.batch():
            self._archive(epoch, below)
            self._database.execute(
                "DELETE FROM certificates WHERE (epoch, view) < (?, ?)", (epoch, below)
            )
            self._database.execute(
                "DELETE FROM blocks WHERE (epoch, view) < (?, ?)", (epoch, below)
            )
            self._database.execute("DELETE FROM votes WHERE epoch < ? - 1", (epoch,))
            self._database.execute(
                "DELETE FROM votes WHERE epoch = ? AND view < ?", (epoch, below - VIEWS_KEPT)
            )

    def _archive(self, epoch: Epoch, below: View) -> None:
        """Lay aside what could convict somebody, for a while (docs/CONSENSUS.md, F.7)."""
        self._database.execute(_ARCHIVE_CERTIFICATES, (epoch, below))
        grounds = (VoteKind.NOTARIZE, epoch, below, VoteKind.FINALIZE)
        self._database.execute(_ARCHIVE_GROUNDS, grounds)  # a FINALIZE rests on a notarisation
        self._database.execute(
            "DELETE FROM archive WHERE epoch < ? OR (epoch = ? AND view < ?)",
            (epoch - EPOCHS_ARCHIVED, epoch, below - VIEWS_ARCHIVED),
        )

    def close(self) -> None:
        """Let go of the files and of the lock."""
        self._database.close()
        self._lock.release()

    def _column(self, query: str, epoch: Epoch) -> list[bytes]:
        with self._using, translated(self._path):
            return [row[0] for row in self._database.execute(query, (epoch,))]
