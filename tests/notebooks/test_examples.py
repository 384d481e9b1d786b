"""The example notebooks: kept without outputs, and executed against a devnet."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbclient
import nbformat
import pytest

from lc_node.runtime.devnet import Devnet, running

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.ipynb"))
CELL_SECONDS = 180


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_kept_without_outputs(path: Path) -> None:
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]

    assert cells
    assert all(cell.execution_count is None and cell.outputs == [] for cell in cells)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_valid_notebook(path: Path) -> None:
    nbformat.validate(nbformat.read(path, as_version=4))


@pytest.fixture(scope="module")
def devnet() -> Iterator[Devnet]:
    with tempfile.TemporaryDirectory(prefix="lct") as folder, running(Path(folder) / "n") as net:
        yield net


@pytest.fixture(scope="module")
def told(devnet: Devnet) -> str:
    """Return all that the story of a liar prints when it is executed."""
    document = nbformat.read(next(p for p in EXAMPLES if p.stem == "02-liar"), as_version=4)
    home = devnet.place("submitter").home.path
    variables = {**os.environ, "LC_NODE": str(home), "LC_EXAMPLE_EXPIRES": "30s"}
    runner = nbclient.NotebookClient(
        document, timeout=CELL_SECONDS, resources={"metadata": {"path": str(home)}}
    )
    runner.execute(env=variables)
    return "\n".join(
        output.get("text", "") or output.get("data", {}).get("text/plain", "")
        for cell in document.cells
        for output in cell.get("outputs", [])
    )


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_the_story_of_a_liar_ends_with_its_ban(devnet: Devnet, told: str) -> None:
    assert told.rstrip().splitlines()[-1] == f"banned: {devnet.place('liar').identity.address}"


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_the_story_of_a_liar_tells_who_refuted_it(devnet: Devnet, told: str) -> None:
    liar = devnet.place("liar").identity.address[:12]

    assert f"where {liar}… had announced" in told
    assert "refutes" in told


@pytest.mark.slow
@pytest.mark.xdist_group("devnet")
def test_the_winner_holds_in_the_kernel_what_it_announced(told: str) -> None:
    [line] = [line for line in told.splitlines() if line.startswith("announced ")]
    announced, kernel = (float(part.rsplit(" ", 1)[1]) for part in line.split(", "))

    assert abs(kernel - announced) < 1e-6 + 1e-4 * announced
