"""A state that is being fetched, in a SQLite file of its own, so that a restart goes on where it was."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Final

from lc_node.adapters.sqlite import Layout, open_database, open_reader, transaction, translated
from lc_node.chain.types import Digest, Epoch

_LAYOUT: Final = Layout(
    application_id=0x4C43_5331,  # "LCS1"
    version=1,
    statements=(
        """CREATE TABLE buckets (
            place INTEGER PRIMARY KEY, leaf BLOB NOT NULL, data BLOB NOT NULL) STRICT""",
        "CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, proof BLOB NOT NULL) STRICT",
    ),
)


class SqliteSnapshotStore:
    """A snapshot store in one file; what a power cut takes from it is fetched again."""

    def __init__(self, path: Path) -> None:
        """Open or create the file at ``path``."""
        self._path = path
        self._using = threading.RLock()
        self._database = open_database(path, _LAYOUT, synchronous="NORMAL")

    def held(self) -> Mapping[int, Digest]:
        """Return which buckets are here, with the hash of each."""
        with self._using, translated(self._path):
            return dict(self._database.execute("SELECT place, leaf FROM buckets"))

    def put(self, buckets: Iterable[tuple[int, Digest, bytes]]) -> None:
        """Keep buckets, by index, with their hashes; each replaces what was there."""
        with self._using, translated(self._path), transaction(self._database):
            self._database.executemany(
                "INSERT OR REPLACE INTO buckets (place, leaf, data) VALUES (?, ?, ?)", buckets
            )

    def buckets(self) -> Iterator[tuple[int, bytes]]:
        """Yield the buckets by index."""
        yield from self._rows("SELECT place, data FROM buckets ORDER BY place")

    def put_proofs(self, proofs: Iterable[tuple[Epoch, bytes]]) -> None:
        """Keep how epochs ended."""
        with self._using, translated(self._path), transaction(self._database):
            self._database.executemany(
                "INSERT OR REPLACE INTO epochs (epoch, proof) VALUES (?, ?)", proofs
            )

    def proofs(self, first: Epoch) -> Iterator[tuple[Epoch, bytes]]:
        """Yield how epochs ended, from ``first`` on, as long as they follow each other."""
        query = "SELECT epoch, proof FROM epochs WHERE epoch >= ? ORDER BY epoch"
        for expected, (epoch, proof) in zip(count(first), self._rows(query, first), strict=False):
            if epoch != expected:
                return
            yield Epoch(epoch), proof

    def clear(self) -> None:
        """Forget everything, and give the room back."""
        with self._using, translated(self._path):
            with transaction(self._database):
                self._database.execute("DELETE FROM buckets")
                self._database.execute("DELETE FROM epochs")
            self._database.execute("VACUUM")

    def close(self) -> None:
        """Let go of the files, once nobody in another thread is at work on them."""
        with self._using:
            self._database.close()

    def _rows(self, query: str, *values: object) -> Iterator[tuple[int, bytes]]:
        with translated(self._path):
            connection = open_reader(self._path)
            try:
                yield from connection.execute(query, values)
            finally:
                connection.close()
