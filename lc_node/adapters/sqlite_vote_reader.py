"""Certificates in a vote store, as somebody reads them who looks for culprits: the file is never written."""

import sqlite3
from pathlib import Path
from typing import Final

from lc_node.adapters.sqlite import translated
from lc_node.ports.stores import StorageBroken

_BUSY_SECONDS: Final = 5.0
_ALL: Final = """SELECT data FROM archive UNION SELECT data FROM certificates
    UNION SELECT certificate FROM votes WHERE certificate <> x''"""


def read_certificates(path: Path) -> list[bytes]:
    """Return all certificates that a vote store holds or has archived; its node may run meanwhile.

    Raises:
        StorageBroken: there is none, or it is damaged, or of a version without an archive.
    """
    if not path.exists():
        raise StorageBroken(f"{path} does not exist: name a node's votes.db, or a copy of it.")
    with translated(path):
        connection = sqlite3.connect(
            f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
        )
        try:
            return [row[0] for row in connection.execute(_ALL)]
        except sqlite3.OperationalError as error:
            raise StorageBroken(
                f"{path} has no archive ({error}): start its node once with this version."
            ) from error
        finally:
            connection.close()
