"""What is known of the tests' files when a parallel run distributes them."""

from pathlib import Path

import pytest

from tests.scheduling import GRAPHS, TOGETHER

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", [*sorted(TOGETHER), *GRAPHS])
def test_every_file_and_folder_that_has_a_place_exists(name: str) -> None:
    assert (ROOT / name).exists()
