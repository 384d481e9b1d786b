"""Where pictures of pages go."""

from pathlib import Path

import pytest

from tests.browser.shots import Shots


@pytest.fixture(scope="session")
def shots(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shots:
    """Return the folder of pictures: that of ``--shots``, or one that nobody keeps."""
    kept: Path | None = request.config.getoption("--shots")
    return Shots(kept or tmp_path_factory.mktemp("shots"), are_kept=kept is not None)
