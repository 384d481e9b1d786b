"""The kept join line: replaced as a whole, and again after it was damaged."""

from pathlib import Path

import pytest

from lc_node.chain.types import ChainId, PublicKey
from lc_node.runtime.home import Home
from lc_node.runtime.joined import LineDamaged, joined, remember
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.join_line import Bootstrap, JoinLine
from lc_node.wire.session import TransportKey
from tests.peer_nodes import CHAIN


def line_at(port: int) -> JoinLine:
    boot = Bootstrap(
        key=PublicKey(bytes(32)),
        transport_key=TransportKey(bytes(32)),
        endpoints=(Endpoint(host=Host("192.0.2.1"), port=Port(port)),),
    )
    return JoinLine(chain_id=ChainId(CHAIN), graph="lab", bootstraps=(boot,), passes=())


def damaged(folder: Path) -> Home:
    """Return a home that was cut off from its disk while it kept a line."""
    home = Home(folder / "home")
    remember(home, line_at(1))
    (home.path / "joined.txt").write_text("")
    return home


def test_a_home_without_a_line_has_none(tmp_path: Path) -> None:
    assert joined(Home(tmp_path / "home")) is None


def test_a_newer_line_replaces_the_older_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    remember(home, line_at(1))
    remember(home, line_at(2))

    assert joined(home) == line_at(2)
    assert (home.path / "joined.txt").stat().st_mode & 0o077 == 0


def test_a_damaged_line_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LineDamaged, match="lc-node join LINE"):
        joined(damaged(tmp_path))


def test_a_damaged_line_is_replaced_by_the_line_given_again(tmp_path: Path) -> None:
    home = damaged(tmp_path)
    remember(home, line_at(1))

    assert joined(home) == line_at(1)
