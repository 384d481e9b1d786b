"""A notebook and the node that it finds."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lc_jupyter.jobs import forget_posted
from tests.api.conftest import short
from tests.jupyter.desk import Desk
from tests.jupyter.shells import Shell

__all__ = ["short"]


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache folder, so that the interpreter is packaged once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def desk(short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Return a node that the notebook finds."""
    started = Desk(short)
    monkeypatch.setenv("LC_NODE", str(started.home))
    yield started
    started.stop()


@pytest.fixture
def notebook(tmp_path: Path, layers: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """Return a notebook with the magics, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(layers))
    started = Shell(tmp_path / "ipython")
    assert started.ran.ok, started.ran.err
    yield started
    started.close()
    forget_posted()
