"""The finalised chain as an auditor reads it: a file that is never written, also while its node runs."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from lc_node.adapters.sqlite import translated
from lc_node.chain.types import BlockId, Epoch, Height
from lc_node.ports.stores import StorageBroken

_BUSY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A stored block."""

    block_id: BlockId
    block: bytes
    certificate: bytes
    """Empty if a later block's covers it."""


class SqliteChainReader:
    """Reads the file of ``SqliteChainStore``."""

    def __init__(self, path: Path) -> None:
        """Open the database at ``path``.

        Raises:
            StorageBroken: there is none, or it is damaged.
        """
        if not path.exists():
            message = f"{path} does not exist: no node of this home has run; name another --home."
            raise StorageBroken(message)
        self._path = path
        with translated(path):
            self._connection = sqlite3.connect(
                f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def tip_with_entries(self) -> tuple[Height, Sequence[tuple[bytes, bytes]]] | None:
        """Return the last block's height and the state after it, both of one moment; None if empty."""
        with translated(self._path):
            self._connection.execute("BEGIN")
            try:
                (height,) = self._one("SELECT max(height) FROM blocks") or (None,)
                entries = self._connection.execute("SELECT key, value FROM state ORDER BY key")
                return None if height is None else (Height(height), entries.fetchall())
            finally:
                self._connection.execute("COMMIT")

    def block_at(self, height: Height) -> Row | None:
        """Return the block at a height, None if it is not kept."""
        row = self._one("SELECT id, block, certificate FROM blocks WHERE height = ?", height)
        return None if row is None else Row(block_id=row[0], block=row[1], certificate=row[2])

    def epoch_at(self, epoch: Epoch) -> bytes | None:
        """Return how an epoch ended, None if it has not, or is not known."""
        row = self._one("SELECT proof FROM epochs WHERE epoch = ?", epoch)
        return None if row is None else row[0]

    def receipts_at(self, height: Height) -> Sequence[bytes]:
        """Return a block's receipts in order; none if they are not kept."""
        query = "SELECT data FROM receipts WHERE height = ? ORDER BY position"
        with translated(self._path):
            return [row[0] for row in self._connection.execute(query, (height,))]

    def _one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        with translated(self._path):
            row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
            return row
