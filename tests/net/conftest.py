"""One graph of seven hosts serves all tests of it: starting it takes longer than any of them."""

from collections.abc import Iterator

import pytest

from tests.e2e.graphs import short_folder
from tests.net.graphs import Graph, living_apart


@pytest.fixture(scope="session")
def _running() -> Iterator[Graph]:
    with short_folder() as folder, living_apart(folder) as graph:
        yield graph


@pytest.fixture
def graph(_running: Graph) -> Iterator[Graph]:
    """Seven validators that live, and a perfect network between them, whatever the last test left."""
    _running.mend()
    yield _running
    _running.witness.look_at_all()
