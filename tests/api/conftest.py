"""Short folders for sockets: a Unix socket's path has at most 107 bytes, pytest's own folders are long."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def short() -> Iterator[Path]:
    """Return a folder with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="lct"))
    yield folder
    shutil.rmtree(folder)
