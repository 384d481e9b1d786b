"""``lc-node audit`` says that a chain holds, or which block does not."""

import json
import sqlite3
from pathlib import Path

import pytest

from lc_node.chain.addresses import encode_address
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.runtime.home import Home
from tests.chain.actors import CLEO
from tests.runtime.test_audit import made, stored

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the home of a node that has followed a chain."""
    chain, home = made(), Home(tmp_path)
    home.use_genesis(chain.document)
    stored(home.chain_path, chain)
    return tmp_path


def test_a_chain_that_holds_is_summed_up(home: Path, capsys: Capture) -> None:
    assert run(["audit", "--home", str(home)]) == Exit.OK

    told = capsys.readouterr().out
    assert "7 blocks, 3 transactions" in told
    assert "every credit is accounted for" in told


def test_each_account_is_explained_if_that_is_wished(home: Path, capsys: Capture) -> None:
    run(["audit", "--home", str(home), "--accounts"])

    told = capsys.readouterr().out.partition(encode_address(CLEO.public_key))[2]
    assert "  received" in told


def test_an_audit_answers_in_json(home: Path, capsys: Capture) -> None:
    assert run(["audit", "--home", str(home), "--json"]) == Exit.OK

    found = json.loads(capsys.readouterr().out)
    everything = found["owned"] + found["held"] + sum(found["burned"].values())
    assert everything == found["genesis"] + found["issued"]


def test_a_forged_block_is_named_and_the_command_fails(home: Path, capsys: Capture) -> None:
    connection = sqlite3.connect(Home(home).chain_path)
    with connection:
        connection.execute("UPDATE blocks SET certificate = x'00' WHERE height = 4")
    connection.close()

    assert run(["audit", "--home", str(home)]) == Exit.REFUSED
    assert "Block 4 does not hold" in capsys.readouterr().err


def test_a_home_without_a_chain_is_said_to_have_none(tmp_path: Path, capsys: Capture) -> None:
    assert run(["audit", "--home", str(tmp_path)]) == Exit.REFUSED

    assert "name another --home" in capsys.readouterr().err
