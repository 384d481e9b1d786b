"""What ``.lcignore`` says stays at home, wherever it would have come from."""

from dataclasses import replace
from pathlib import Path

import pytest

from lc_jupyter.packaging.distributions import Catalogue
from lc_jupyter.packaging.environment import Environment
from lc_jupyter.packaging.errors import BadIgnoreFile, IncludeRefused
from lc_jupyter.packaging.include import include_layer
from lc_jupyter.packaging.local_modules import Resolver

FILES = ("data/a.csv", "data/raw/b.csv", "data/keep.log", "data/drop.log", "secret.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a notebook's folder with some files."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def included(folder: Path, path: str) -> list[str]:
    layer = include_layer([Path(path)], folder)
    return (
        []
        if layer is None
        else [file.source.relative_to(folder).as_posix() for file in layer.files]
    )


def test_a_folder_is_included_without_what_is_ignored(folder: Path) -> None:
    (folder / ".lcignore").write_text("# ours\nraw/\n*.log\n!keep.log\n")

    assert included(folder, "data") == ["data/a.csv", "data/keep.log"]


def test_without_the_file_nothing_is_ignored(folder: Path) -> None:
    assert len(included(folder, "data")) == 4


@pytest.mark.parametrize("path", ["secret.txt", "data/raw/b.csv"])
def test_a_file_that_is_named_and_ignored_is_refused(folder: Path, path: str) -> None:
    (folder / ".lcignore").write_text("secret.*\nraw/\n")

    with pytest.raises(IncludeRefused, match=r"--include .*: .lcignore says that it stays here"):
        included(folder, path)


def test_a_line_that_is_no_pattern_is_named(folder: Path) -> None:
    (folder / ".lcignore").write_text("!\n")

    with pytest.raises(BadIgnoreFile, match=r"\.lcignore: .*like those of a \.gitignore"):
        included(folder, "data")


def test_files_of_an_own_package_stay_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "own_package").mkdir()
    for name in ("__init__.py", "weights.bin", "table.csv"):
        (folder / "own_package" / name).write_text("")
    (folder / ".lcignore").write_text("*.bin\n")
    monkeypatch.syspath_prepend(folder)
    environment = replace(Environment.anywhere(), folder=folder)
    resolver = Resolver(environment, Catalogue(()))
    resolver.add(["own_package"], "the test")

    assert sorted(Path(path).name for path in resolver.needed.local) == [
        "__init__.py",
        "table.csv",
    ]
