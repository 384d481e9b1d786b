"""A file that is replaced as a whole, and the addresses of this machine."""

import stat
from pathlib import Path

import pytest

from lc_node.adapters.interfaces import own_hosts
from lc_node.adapters.kept_file import read_kept, write_kept


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    write_kept(path, b"one")
    write_kept(path, b"two")

    assert read_kept(path, bytes_max=10) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]


def test_what_is_not_there_or_too_long_is_nothing(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    assert read_kept(path, bytes_max=10) is None
    write_kept(path, b"12345678901")

    assert read_kept(path, bytes_max=10) is None


def test_a_folder_that_is_gone_is_an_error_for_who_writes(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_kept(tmp_path / "gone" / "kept", b"one")


def test_this_machine_has_its_loopback_among_its_addresses() -> None:
    hosts = own_hosts()

    assert "127.0.0.1" in hosts
    assert not any("%" in host for host in hosts)
