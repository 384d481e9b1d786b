"""Interpreters of every kind, each made once; and what they packaged, run in the real sandbox."""

from pathlib import Path

import pytest

from tests.jupyter.snapshots.pythons import (
    Python,
    base_python,
    build_wheel,
    make_venv,
    other_python,
)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return our own wheel as it is now."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a cache of layers for tests that do not look at what is written anew."""
    return tmp_path_factory.mktemp("layers")


@pytest.fixture(scope="session")
def plain_venv(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Python:
    """Return a virtual environment with no more than packaging needs."""
    return make_venv(tmp_path_factory.mktemp("envs") / "plain", base_python(), wheel)


@pytest.fixture(scope="session")
def numpy_venv(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Python:
    """Return a virtual environment that uv made, of another Python where there is one, with an older numpy."""
    folder = tmp_path_factory.mktemp("envs") / "numpy"
    return make_venv(folder, other_python(), wheel, "numpy==1.26.4")
