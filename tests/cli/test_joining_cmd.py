"""Join lines: what ``lc-node invite`` prints, and what a bad line or a wrong wish is answered."""

import re
from pathlib import Path

import msgspec
import pytest

from lc_node.cli.exits import Exit
from lc_node.cli.joining_cmd import Printed
from lc_node.cli.main import run
from lc_node.runtime.home import Home
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.join_line import JoinLine, read_join_line

MINE = Endpoint(host=Host("node.example"), port=Port(4041))


def graph(folder: Path, *options: str) -> Home:
    """Return the home of a graph's only member."""
    home, document = folder / "home", folder / "genesis.bin"
    assert run(["--home", str(home), "init"]) == Exit.OK
    member = f"{home / 'identity.json'}:100:50"
    made = ["genesis", "new", "--graph", "lab", "--member", member, "--output", str(document)]
    assert run([*made, *options]) == Exit.OK
    assert run(["--home", str(home), "genesis", "use", str(document)]) == Exit.OK
    return Home(home)


def line_of(home: Home, capsys: pytest.CaptureFixture[str], *options: str) -> JoinLine:
    capsys.readouterr()
    assert run(["--home", str(home.path), "invite", *options]) == Exit.OK
    return read_join_line(capsys.readouterr().out)


def test_a_line_names_the_graph_and_where_the_node_is_reached(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path)

    line = line_of(home, capsys, "--at", "node.example:4041")

    (me,) = line.bootstraps
    assert (line.graph, me.key, me.endpoints) == ("lab", home.identity().key, (MINE,))
    assert line.passes == ()


def test_without_being_told_a_node_says_the_addresses_of_its_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (me,) = line_of(graph(tmp_path), capsys).bootstraps

    assert me.endpoints
    assert {one.port for one in me.endpoints} == {4040}


def test_a_node_that_nobody_can_dial_names_the_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path)
    home.config_path.write_text("[network]\nlisten = false\n")

    assert run(["--home", str(home.path), "invite"]) == Exit.REFUSED
    assert "--at HOST:PORT" in capsys.readouterr().err


def test_a_public_graph_needs_no_invitations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path)
    guest = home.identity().address

    assert run(["--home", str(home.path), "invite", "--for", guest]) == Exit.USAGE
    assert "is public" in capsys.readouterr().err


def test_on_a_private_graph_a_line_invites_whoever_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path, "--private")

    (invited,) = line_of(home, capsys).passes

    assert invited.invitation.inviter == home.identity().key
    assert len(invited.secret) == 1


def test_an_invitation_for_one_node_holds_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path, "--private")

    (invited,) = line_of(home, capsys, "--for", home.identity().address).passes

    assert invited.invitation.guest == home.identity().key
    assert invited.secret == ()


def test_json_says_how_long_an_invitation_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path, "--private")
    capsys.readouterr()

    assert run(["--home", str(home.path), "invite", "--days", "1", "--json"]) == Exit.OK

    printed = msgspec.json.decode(capsys.readouterr().out, type=Printed)
    line = read_join_line(printed.line)
    assert printed.until == line.passes[0].invitation.until
    assert printed.chain_id == line.chain_id.hex()


@pytest.mark.parametrize("command", [["join"], ["run", "--join"]])
def test_a_mistyped_line_is_refused_before_anything_is_made(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path)
    capsys.readouterr()
    assert run(["--home", str(home.path), "invite"]) == Exit.OK
    mistyped = re.sub("a", "b", capsys.readouterr().out.strip(), count=1)

    assert run(["--home", str(tmp_path / "new"), *command, mistyped]) == Exit.USAGE
    assert "checksum" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_home_of_another_graph_is_told_to_be_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path)
    (tmp_path / "b").mkdir()
    other = graph(tmp_path / "b", "--private")
    capsys.readouterr()
    assert run(["--home", str(other.path), "invite"]) == Exit.OK
    line = capsys.readouterr().out.strip()

    assert run(["--home", str(home.path), "join", line]) == Exit.REFUSED
    assert "home of its own" in capsys.readouterr().err


def test_a_graph_of_another_name_is_not_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = graph(tmp_path)

    assert run(["--home", str(home.path), "run", "--graph", "other"]) == Exit.REFUSED
    assert "is on graph lab" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "x" * 65, "ü" * 64 + "\U0001f600" * 40])
def test_a_name_that_no_graph_can_have_is_refused(name: str, tmp_path: Path) -> None:
    assert run(["--home", str(tmp_path / "home"), "run", "--graph", name]) == Exit.USAGE


def test_show_says_who_may_come(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = graph(tmp_path, "--private")
    capsys.readouterr()

    assert run(["--home", str(home.path), "genesis", "show"]) == Exit.OK
    assert "whom members invite" in capsys.readouterr().out
