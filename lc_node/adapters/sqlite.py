"""How we open SQLite: write-ahead log, a schema version, and the world's errors in our words."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from lc_node.ports.stores import StorageBroken, StorageFull

_PRIMARY_CODE = 0xFF  # the low byte of an extended result code: sqlite.org/rescode.html
_ROOM_BYTES: Final = 1024 * 1024  # with less than this left, an I/O error means a full disk
_BUSY_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a file of ours looks like inside."""

    application_id: int
    """Says whose file it is: sqlite.org/fileformat2.html, offset 68."""
    version: int
    statements: tuple[str, ...]
    """What makes an empty file one of this version."""
    upgrades: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """What makes a file of an older version one of the version after it."""


def open_database(
    path: Path, layout: Layout, *, synchronous: Literal["NORMAL", "FULL"]
) -> sqlite3.Connection:
    """Open or create a database; transactions are ours to begin and to end.

    Raises:
        StorageBroken: not our file, damaged, or of a newer version.
        StorageFull: no room to create it.
    """
    with translated(path):
        connection = _connect(path)
        try:
            _prepare(connection, path, layout, synchronous)
        except BaseException:
            connection.close()
            raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a second connection that only reads, and sees finished transactions only."""
    with translated(path):
        connection = _connect(path)
        connection.execute("PRAGMA query_only = ON")
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the disk into ours; others are our own mistakes and pass."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = (getattr(error, "sqlite_errorcode", None) or 0) & _PRIMARY_CODE
        if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
            raise StorageFull(path) from error
        if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            message = f"{path} is damaged ({error}); check the disk, then move the file away."
            raise StorageBroken(message) from error
        if code in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}:
            message = f"{path} cannot be written ({error}); check who owns its folder."
            raise StorageBroken(message) from error
        raise


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what happens inside, or leave everything as it was."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled it back already
            connection.execute("ROLLBACK")
        raise


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )


def _prepare(connection: sqlite3.Connection, path: Path, layout: Layout, sync: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {sync}")
    owner = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if owner not in {0, layout.application_id}:
        message = f"{path} is another program's database; move it away."
        raise StorageBroken(message)
    if version > layout.version:
        message = (
            f"{path} was written by a newer version (schema {version}, this one knows "
            f"{layout.version}); upgrade with `pip install -U 'learningchain[node]'`."
        )
        raise StorageBroken(message)
    if version == 0:
        _create(connection, layout)
    for older in range(version, layout.version) if version else ():
        _upgrade(connection, layout, older)


def _create(connection: sqlite3.Connection, layout: Layout) -> None:
    with transaction(connection):
        for statement in layout.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {layout.application_id}")
        connection.execute(f"PRAGMA user_version = {layout.version}")


def _upgrade(connection: sqlite3.Connection, layout: Layout, version: int) -> None:
    with transaction(connection):
        for statement in layout.upgrades[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {version + 1}")


def _is_full(path: Path) -> bool:
    return shutil.disk_usage(path.parent).free < _ROOM_BYTES
