"""What is known of the tests' files when a parallel run distributes them."""

from pathlib import Path

import pytest

from tests.scheduling import TOGETHER

ROOT = Path(__file__).parents[1]
GRAPHS = sorted(
    str(path.relative_to(ROOT))
    for folder in ("e2e", "net", "notebooks")
    for path in (ROOT / "tests" / folder).glob("test_*.py")
)


@pytest.mark.parametrize("file", sorted(TOGETHER))
def test_every_file_that_is_kept_together_with_others_exists(file: str) -> None:
    assert (ROOT / file).is_file()


@pytest.mark.parametrize("file", GRAPHS)
def test_every_file_that_starts_whole_graphs_has_its_place(file: str) -> None:
    assert file in TOGETHER
