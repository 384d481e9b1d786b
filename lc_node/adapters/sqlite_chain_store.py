"""The finalised chain in one SQLite file, one transaction a block.

The log is written with ``synchronous=NORMAL``: a killed process loses nothing, a power cut may lose the
last blocks, which peers have and which are appended again.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self

from lc_node.adapters.sqlite import Layout, open_database, open_reader, transaction, translated
from lc_node.chain.types import BlockId, ChainId, Epoch, Height, JobId
from lc_node.ports.stores import GapInChain, StorageBroken, StoredBlock

_EPOCHS: Final = "CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, proof BLOB NOT NULL) STRICT"
_LAYOUT: Final = Layout(
    application_id=0x4C43_4331,  # "LCC1"
    version=2,
    statements=(
        "CREATE TABLE chain (id BLOB PRIMARY KEY) STRICT, WITHOUT ROWID",
        """CREATE TABLE blocks (
            height INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
            block BLOB NOT NULL, certificate BLOB NOT NULL) STRICT""",
        "CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
        """CREATE TABLE receipts (
            height INTEGER NOT NULL, position INTEGER NOT NULL, job BLOB NOT NULL, data BLOB NOT NULL,
            PRIMARY KEY (height, position)) STRICT, WITHOUT ROWID""",
        "CREATE INDEX receipts_by_job ON receipts (job, height, position)",
        _EPOCHS,
    ),
    upgrades={1: (_EPOCHS,)},
)
_PRUNED_AT_ONCE: Final = 1_000
"""Blocks that one pruning may delete: more would keep the next block waiting."""

_TIP: Final = "SELECT height, id FROM blocks ORDER BY height DESC LIMIT 1"
_INSERT_BLOCK: Final = "INSERT INTO blocks (height, id, block, certificate) VALUES (?, ?, ?, ?)"
_INSERT_RECEIPT: Final = "INSERT INTO receipts (height, position, job, data) VALUES (?, ?, ?, ?)"
_SET_ENTRY: Final = "INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_SET_EPOCH: Final = "INSERT OR REPLACE INTO epochs (epoch, proof) VALUES (?, ?)"
_DROP_ENTRY: Final = "DELETE FROM state WHERE key = ?"


class SqliteChainStore:
    """A chain store; its methods may be called from any thread, one writes at a time."""

    def __init__(self, path: Path) -> None:
        """Open the database at ``path``; see ``open``."""
        self._path = path
        self._writing = threading.Lock()
        self._reading = threading.Lock()
        self._writer = open_database(path, _LAYOUT, synchronous="NORMAL")
        self._reader = open_reader(path)

    @classmethod
    def open(cls, path: Path, chain_id: ChainId) -> Self:
        """Open the store of one chain, or create it.

        Raises:
            StorageBroken: it holds another chain, is damaged, or of a newer version.
            StorageFull: no room to create it.
        """
        store = cls(path)
        try:
            store._claim(chain_id)
        except BaseException:
            store.close()
            raise
        return store

    def tip(self) -> tuple[Height, BlockId] | None:
        """Return the last finalised block's place, None on an empty store."""
        row = self._one(_TIP)
        return None if row is None else (Height(row[0]), BlockId(row[1]))

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield every state entry after the tip as of the first step, sorted by key."""
        with translated(self._path):
            connection = open_reader(self._path)
            try:
                yield from connection.execute("SELECT key, value FROM state ORDER BY key")
            finally:
                connection.close()

    def append(self, stored: StoredBlock) -> None:
        """Write a block and its consequences atomically; idempotent by height."""
        with self._writing, translated(self._path), transaction(self._writer):
            if not self._is_here(stored):
                self._write(stored)

    def adopt(self, stored: StoredBlock, proofs: Iterable[tuple[Epoch, bytes]]) -> None:
        """Replace all but genesis and the ends of epochs by a snapshot."""
        with self._writing, translated(self._path), transaction(self._writer):
            self._writer.execute("DELETE FROM blocks WHERE height > 0")
            self._writer.execute("DELETE FROM state")
            self._writer.execute("DELETE FROM receipts")
            self._writer.executemany(_SET_EPOCH, proofs)
            self._write(stored)

    def put_epoch(self, epoch: Epoch, proof: bytes) -> None:
        """Keep how an epoch ended."""
        with self._writing, translated(self._path):
            self._writer.execute(_SET_EPOCH, (epoch, proof))

    def epoch_at(self, epoch: Epoch) -> bytes | None:
        """Return how an epoch ended, None if it has not, or is not known."""
        row = self._one("SELECT proof FROM epochs WHERE epoch = ?", epoch)
        return None if row is None else row[0]

    def first(self) -> Height:
        """Return the lowest height from which on every block is kept; genesis always is."""
        row = self._one("SELECT min(height) FROM blocks WHERE height > 0")
        return Height(1 if row is None or row[0] is None else row[0])

    def prune(self, *, blocks_below: Height, receipts_below: Height) -> None:
        """Delete what is below these heights, but for genesis, a bounded part of it at a time."""
        blocks = min(blocks_below, self.first() + _PRUNED_AT_ONCE)
        with self._writing, translated(self._path), transaction(self._writer):
            self._writer.execute("DELETE FROM blocks WHERE height > 0 AND height < ?", (blocks,))
            self._writer.execute(
                "DELETE FROM receipts WHERE height < ?", (min(blocks, receipts_below),)
            )

    def block_at(self, height: Height) -> bytes | None:
        """Return the finalised block at a height."""
        row = self._one("SELECT block FROM blocks WHERE height = ?", height)
        return None if row is None else row[0]

    def height_of(self, block_id: BlockId) -> Height | None:
        """Return where a finalised block stands, None if it is not kept here."""
        row = self._one("SELECT height FROM blocks WHERE id = ?", block_id)
        return None if row is None else Height(row[0])

    def certificate_at(self, height: Height) -> bytes | None:
        """Return the finalisation stored with the block at a height, None if it has none."""
        row = self._one("SELECT certificate FROM blocks WHERE height = ?", height)
        return None if row is None else row[0] or None

    def receipts_of(self, job: JobId) -> Sequence[tuple[Height, bytes]]:
        """Return a job's events in chain order."""
        return self._all(
            "SELECT height, data FROM receipts WHERE job = ? ORDER BY height, position", job
        )

    def receipts_at(self, height: Height) -> Sequence[tuple[JobId, bytes]]:
        """Return a block's events in order."""
        return self._all(
            "SELECT job, data FROM receipts WHERE height = ? ORDER BY position", height
        )

    def secure(self) -> None:
        """Make all that was appended survive a power cut, which a commit alone does not."""
        with self._writing, translated(self._path):
            self._writer.execute("PRAGMA wal_checkpoint(FULL)").fetchall()

    def close(self) -> None:
        """Let go of the files, once nobody in another thread is at work on them."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()

    def _claim(self, chain_id: ChainId) -> None:
        """Write the chain's id into an empty store, or compare it."""
        with translated(self._path), transaction(self._writer):
            row = self._writer.execute("SELECT id FROM chain").fetchone()
            if row is None:
                self._writer.execute("INSERT INTO chain (id) VALUES (?)", (chain_id,))
            elif row[0] != chain_id:
                message = (
                    f"{self._path} holds chain {row[0].hex()[:16]}, the genesis file names "
                    f"{chain_id.hex()[:16]}; give each chain its own --home."
                )
                raise StorageBroken(message)

    def _is_here(self, stored: StoredBlock) -> bool:
        """Tell whether this very block is stored already; refuse one that does not follow."""
        tip = self._writer.execute(_TIP).fetchone()
        expected = 0 if tip is None else tip[0] + 1
        if stored.height == expected:
            return False
        row = self._writer.execute(
            "SELECT id FROM blocks WHERE height = ?", (stored.height,)
        ).fetchone()
        if row is not None and row[0] == stored.block_id:
            return True
        message = f"block {stored.height} does not follow height {expected - 1}"
        if row is not None:
            message = f"another block is final at height {stored.height}: {row[0].hex()}"
        raise GapInChain(message)

    def _write(self, stored: StoredBlock) -> None:
        height, writer = stored.height, self._writer
        writer.execute(_INSERT_BLOCK, (height, stored.block_id, stored.block, stored.certificate))
        writer.executemany(
            _SET_ENTRY, ((k, v) for k, v in stored.changes.items() if v is not None)
        )
        writer.executemany(_DROP_ENTRY, ((k,) for k, v in stored.changes.items() if v is None))
        writer.executemany(
            _INSERT_RECEIPT,
            (
                (height, position, job, data)
                for position, (job, data) in enumerate(stored.receipts)
            ),
        )

        if stored.epoch_end is not None:
            writer.execute(_SET_EPOCH, stored.epoch_end)

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with self._reading, translated(self._path):
            row: tuple[Any, ...] | None = self._reader.execute(query, values).fetchone()
            return row

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._reading, translated(self._path):
            return self._reader.execute(query, values).fetchall()
