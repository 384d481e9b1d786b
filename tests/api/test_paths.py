"""What is wrong with a file is said with its name and the fix."""

from pathlib import Path

import pytest

from lc_node.api.errors import UnusablePath
from lc_node.api.paths import expand, naming_files


def test_the_home_of_a_user_is_found() -> None:
    assert expand("~/models") == Path.home() / "models"


def test_a_user_who_does_not_exist_is_named() -> None:
    with pytest.raises(UnusablePath, match="~nosuchuser/models cannot be used"):
        expand("~nosuchuser/models")


def test_what_the_machine_says_of_a_file_names_the_fix(tmp_path: Path) -> None:
    with (
        pytest.raises(UnusablePath, match=r"\(No such file or directory\): name a place"),
        naming_files(),
    ):
        (tmp_path / "nowhere" / "model").write_bytes(b"")


def test_a_file_in_the_place_of_a_folder_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UnusablePath, match="something else is there already"), naming_files():
        (tmp_path / "file").mkdir()


def test_what_is_said_of_no_file_is_left_as_it_is() -> None:
    with pytest.raises(TimeoutError, match="too late"), naming_files():
        raise TimeoutError("too late")
