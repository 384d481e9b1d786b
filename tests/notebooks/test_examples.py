"""The example notebooks: kept without outputs, and executed in front of the nodes that ``%lc_start --devnet`` starts."""

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbclient
import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from lc_node.api.calls import GetStatus
from lc_node.api.client import Client
from lc_node.api.schema import Status
from lc_node.runtime.home import Home
from tests.e2e.graphs import SILENCE_SECONDS, wait_for

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
CELL_SECONDS = 180

_LIVING = """
import os
from pathlib import Path
from lc_node.api.client import Client, NodeUnreachable

def lives(home):
    try:
        Client(home).close()
    except NodeUnreachable:
        return False
    return True

print("living:", [home.name for home in Path(os.environ["LC_NODE"]).parent.glob("*/") if lives(home)])
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_kept_without_outputs(path: Path) -> None:
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]

    assert cells
    assert all(cell.execution_count is None and cell.outputs == [] for cell in cells)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_valid_notebook(path: Path) -> None:
    nbformat.validate(nbformat.read(path, as_version=4))


def _execute(document: NotebookNode, home: Path, folder: Path) -> str:
    """Execute a notebook in a kernel of its own, which finds a node by its home; return all that it prints."""
    variables = {**os.environ, "LC_NODE": str(home), "LC_EXAMPLE_EXPIRES": "30s"}
    runner = nbclient.NotebookClient(
        document, timeout=CELL_SECONDS, resources={"metadata": {"path": str(folder)}}
    )
    runner.execute(env=variables)
    return "\n".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for cell in document.cells
        for output in cell.get("outputs", [])
    )


def _notebook(*cells: str) -> NotebookNode:
    """Return a notebook with the magics."""
    made: NotebookNode = new_notebook(
        cells=[new_code_cell(cell) for cell in ("%load_ext lc_jupyter", *cells)]
    )
    return made


def _knows_all_honest_others(status: Status) -> bool:
    """The liar is hung up on once it is banned."""
    return status.peers >= 5


@dataclass(frozen=True, slots=True)
class Graph:
    """The seven nodes that a notebook has started."""

    folder: Path
    said: str
    """By the command that started them."""

    @property
    def submitter(self) -> Path:
        """The home of the node that notebooks speak with."""
        return self.folder / "own-devnet" / "submitter"

    @property
    def liar(self) -> str:
        """The address of the node that lies."""
        return str(Home(self.folder / "own-devnet" / "liar").identity().address)


@pytest.fixture(scope="module")
def graph() -> Iterator[Graph]:
    """Start the graph from a notebook whose kernel ends then; at the end another one stops it."""
    with tempfile.TemporaryDirectory(prefix="lct") as name:
        folder = Path(name)
        said = _execute(_notebook("%lc_start --devnet"), folder / "own", folder)
        started = Graph(folder, said)
        try:
            yield started
        finally:
            stopped = _execute(_notebook("%lc_stop", _LIVING), started.submitter, folder)
        assert f"%lc_start --devnet --home {folder / 'own'} starts it again" in stopped
        assert "living: []" in stopped


@pytest.fixture(scope="module")
def told(graph: Graph) -> str:
    """Return all that the story of a liar prints when it is executed."""
    document = nbformat.read(next(p for p in EXAMPLES if p.stem == "02-liar"), as_version=4)
    return _execute(document, graph.submitter, graph.submitter)


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_a_notebook_starts_seven_nodes_and_speaks_with_one_of_them(graph: Graph) -> None:
    assert "A node runs as process" in graph.said
    assert f"with home {graph.submitter}." in graph.said
    assert re.search(r"^peers +[1-6]$", graph.said, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_the_nodes_outlive_the_kernel_of_the_notebook_that_started_them(graph: Graph) -> None:
    with Client(graph.submitter, silence_seconds=SILENCE_SECONDS) as client:
        look = lambda: client.call(GetStatus())  # noqa: E731  # a word

        assert wait_for(client, look, _knows_all_honest_others, 60).is_validator


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_the_story_of_a_liar_ends_with_its_ban(graph: Graph, told: str) -> None:
    assert told.rstrip().splitlines()[-1] == f"banned: {graph.liar}"


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_the_story_of_a_liar_tells_who_refuted_it(graph: Graph, told: str) -> None:
    assert f"where {graph.liar[:12]}… had announced" in told
    assert "refutes" in told


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_the_winner_holds_in_the_kernel_what_it_announced(told: str) -> None:
    [line] = [line for line in told.splitlines() if line.startswith("announced ")]
    announced, kernel = (float(part.rsplit(" ", 1)[1]) for part in line.split(", "))

    assert abs(kernel - announced) < 1e-6 + 1e-4 * announced
