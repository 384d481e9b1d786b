"""What this node found out by working, in SQLite: solutions, verdicts, which jobs it took."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lc_node.adapters.sqlite import Layout, open_database, transaction, translated
from lc_node.chain.codec import Decoder, encode
from lc_node.chain.job import Verdict
from lc_node.chain.types import ByteCount, Digest, JobId, ModelRoot, NanoLoss, PublicKey
from lc_node.worker.duties import Solution

_VERDICT: Final = Decoder(Verdict, what="stored verdict", bytes_max=4096)
_LAYOUT: Final = Layout(
    application_id=0x4C43_5731,  # "LCW1"
    version=1,
    statements=(
        """CREATE TABLE solutions (
            found INTEGER PRIMARY KEY, job BLOB NOT NULL, loss INTEGER NOT NULL,
            root BLOB NOT NULL, bytes INTEGER NOT NULL, UNIQUE (job, root)) STRICT""",
        """CREATE TABLE verdicts (
            job BLOB NOT NULL, candidate BLOB NOT NULL, verdict BLOB NOT NULL,
            PRIMARY KEY (job, candidate)) STRICT, WITHOUT ROWID""",
        """CREATE TABLE choices (
            job BLOB PRIMARY KEY, wanted INTEGER NOT NULL, why TEXT NOT NULL) STRICT, WITHOUT ROWID""",
    ),
)
_TABLES: Final = ("solutions", "verdicts", "choices")


class SqliteWorkStore:
    """A work store in one file, durable at every put."""

    def __init__(self, path: Path) -> None:
        """Open or create the file at ``path``."""
        self._path = path
        self._using = threading.RLock()
        self._database = open_database(path, _LAYOUT, synchronous="FULL")

    def put_solution(self, job: JobId, solution: Solution) -> None:
        """Record a model of ours and the loss that its evaluation gave."""
        self._write(
            "INSERT OR REPLACE INTO solutions (job, loss, root, bytes) VALUES (?, ?, ?, ?)",
            (job, solution.loss, solution.model_root, solution.model_bytes),
        )

    def solutions(self, job: JobId) -> Sequence[Solution]:
        """Return our solutions of a job in the order found."""
        rows = self._read(
            "SELECT loss, root, bytes FROM solutions WHERE job = ? ORDER BY found", (job,)
        )
        return [
            Solution(
                loss=NanoLoss(loss),
                model_root=ModelRoot(Digest(root)),
                model_bytes=ByteCount(size),
            )
            for loss, root, size in rows
        ]

    def put_verdict(self, job: JobId, candidate: PublicKey, verdict: Verdict) -> None:
        """Record what we found about a candidate; the first verdict stays."""
        self._write(
            "INSERT OR IGNORE INTO verdicts (job, candidate, verdict) VALUES (?, ?, ?)",
            (job, candidate, encode(verdict)),
        )

    def verdicts(self, job: JobId) -> Mapping[PublicKey, Verdict]:
        """Return our verdicts of a job by candidate."""
        rows = self._read("SELECT candidate, verdict FROM verdicts WHERE job = ?", (job,))
        return {PublicKey(candidate): _VERDICT.decode(data) for candidate, data in rows}

    def put_choice(self, job: JobId, *, wanted: bool, why: str) -> None:
        """Record whether the job was taken for training, and why not; the last choice holds."""
        self._write(
            "INSERT OR REPLACE INTO choices (job, wanted, why) VALUES (?, ?, ?)",
            (job, int(wanted), why),
        )

    def choice(self, job: JobId) -> tuple[bool, str] | None:
        """Return whether the job was taken, and why not; None if it was never looked at."""
        rows = self._read("SELECT wanted, why FROM choices WHERE job = ?", (job,))
        return (bool(rows[0][0]), rows[0][1]) if rows else None

    def forget(self, job: JobId) -> None:
        """Drop all that is kept of a job."""
        with self._writing():
            for table in _TABLES:
                self._database.execute(f"DELETE FROM {table} WHERE job = ?", (job,))  # noqa: S608 (names of ours)

    def jobs(self) -> Sequence[JobId]:
        """Return the jobs of which something is kept."""
        query = " UNION ".join(f"SELECT job FROM {table}" for table in _TABLES)  # noqa: S608 (names of ours)
        return [JobId(Digest(row[0])) for row in self._read(f"{query} ORDER BY job", ())]

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._using, translated(self._path), transaction(self._database):
            yield

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        with self._writing():
            self._database.execute(statement, values)

    def _read(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._using, translated(self._path):
            return self._database.execute(query, values).fetchall()
