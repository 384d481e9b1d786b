"""Finding the node of this machine, and no trap of another user."""

import os
from pathlib import Path

import pytest

from lc_node.api.endpoint import (
    Endpoint,
    default_home,
    find_endpoint,
    open_endpoint,
    read_token,
    socket_folder,
)
from lc_node.api.errors import NodeUnreachable, SocketPathTooLong, UnsafeFolder


@pytest.fixture
def home(short: Path) -> Path:
    folder = short / "home"
    folder.mkdir()
    return folder


def runtime(folder: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(folder)}


def test_sockets_lie_under_the_runtime_folder(home: Path, short: Path) -> None:
    folder = socket_folder(home, runtime(short))

    assert folder.parent == short / "lc"
    assert len(folder.name) == 8


def test_without_a_runtime_folder_sockets_lie_under_tmp(home: Path) -> None:
    folder = socket_folder(home, {})

    assert folder.parts[1:3] == ("tmp", f"lc-{os.geteuid()}")


def test_two_homes_have_two_folders(short: Path) -> None:
    assert socket_folder(short / "a", {}) != socket_folder(short / "b", {})


def test_folder_and_token_are_for_the_owner_alone(home: Path, short: Path) -> None:
    endpoint = open_endpoint(home, runtime(short))

    assert endpoint.folder.stat().st_mode & 0o777 == 0o700
    assert (endpoint.folder / "token").stat().st_mode & 0o777 == 0o600


def test_each_start_has_a_token_of_its_own(home: Path, short: Path) -> None:
    first = read_token(open_endpoint(home, runtime(short)))
    second = read_token(open_endpoint(home, runtime(short)))

    assert first != second
    assert len(first) == 64


def test_a_folder_open_to_others_is_refused(home: Path, short: Path) -> None:
    endpoint = open_endpoint(home, runtime(short))
    endpoint.folder.chmod(0o755)

    with pytest.raises(UnsafeFolder, match="open to others"):
        find_endpoint(home, {})


def test_a_node_does_not_start_in_a_folder_open_to_others(home: Path, short: Path) -> None:
    folder = socket_folder(home, runtime(short))
    folder.mkdir(parents=True)
    folder.parent.chmod(0o777)

    with pytest.raises(UnsafeFolder):
        open_endpoint(home, runtime(short))


def test_a_link_instead_of_the_folder_is_refused(home: Path, short: Path) -> None:
    folder = socket_folder(home, runtime(short))
    folder.parent.mkdir(mode=0o700)
    (short / "trap").mkdir(mode=0o700)
    folder.symlink_to(short / "trap")

    with pytest.raises(UnsafeFolder, match="is not a folder"):
        open_endpoint(home, runtime(short))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(home: Path, short: Path) -> None:
    endpoint = open_endpoint(home, runtime(short))
    os.chown(endpoint.folder, 65534, 65534)

    with pytest.raises(UnsafeFolder, match="belongs to user 65534"):
        find_endpoint(home, {})


def test_a_token_that_others_can_read_is_refused(home: Path, short: Path) -> None:
    endpoint = open_endpoint(home, runtime(short))
    (endpoint.folder / "token").chmod(0o644)

    with pytest.raises(UnsafeFolder):
        read_token(endpoint)


def test_a_token_that_has_gone_means_no_node(short: Path) -> None:
    with pytest.raises(NodeUnreachable):
        read_token(Endpoint(folder=short))


def test_too_long_a_path_is_refused_with_the_remedy(home: Path, short: Path) -> None:
    long = short / ("x" * 90)
    long.mkdir()

    with pytest.raises(SocketPathTooLong, match="set XDG_RUNTIME_DIR to a shorter folder"):
        open_endpoint(home, runtime(long))


def test_a_damaged_announcement_is_named(home: Path) -> None:
    (home / "endpoint.json").write_text("{")

    with pytest.raises(NodeUnreachable, match="damaged"):
        find_endpoint(home, {})


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_home(short: Path, place: str) -> None:
    (short / "file").touch()

    with pytest.raises(NodeUnreachable, match="Not a directory"):
        find_endpoint(short / place, {})


def test_the_environment_names_the_home(home: Path) -> None:
    with pytest.raises(NodeUnreachable, match=str(home)):
        find_endpoint(None, {"LC_NODE": str(home)})


@pytest.mark.parametrize(
    ("environment", "home"),
    [
        ({"LC_HOME": "/a/b"}, "/a/b"),
        ({"XDG_DATA_HOME": "/data"}, "/data/learningchain"),
        ({}, "~/.local/share/learningchain"),
    ],
)
def test_the_default_home(environment: dict[str, str], home: str) -> None:
    assert default_home(environment) == Path(home).expanduser()
