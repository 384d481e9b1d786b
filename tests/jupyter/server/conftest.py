"""One jupyter-server for all tests of the extension, and one node that it finds."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jupyter.desk import Desk
from tests.jupyter.servers import Server


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Return a folder with a short path."""
    made = Path(tempfile.mkdtemp(prefix="lcs"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[Desk]:
    """Return a node that notes what it is asked."""
    started = Desk(folder)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def server(folder: Path, node: Desk) -> Iterator[Server]:
    """Return a running jupyter-server of the node's owner."""
    started = Server(folder, node.home)
    yield started
    started.stop()
