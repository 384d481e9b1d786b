"""``lc-node genesis``, as typed."""

import json
from pathlib import Path
from typing import TypeAlias

import pytest

from lc_node.adapters.keystore import FileKeystore
from lc_node.chain.addresses import encode_address
from lc_node.cli.exits import Exit
from lc_node.cli.main import run
from lc_node.runtime.home import decode_genesis

Capture: TypeAlias = pytest.CaptureFixture[str]

MEMBER = FileKeystore(bytes(32))
RICH = encode_address(FileKeystore(b"\1" * 32).public_key)


@pytest.fixture
def identity(tmp_path: Path) -> Path:
    path = tmp_path / "identity.json"
    document = {
        "address": encode_address(MEMBER.public_key),
        "transport_key": MEMBER.transport_public.hex(),
        "link": "11" * 32,
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "genesis.bin"


@pytest.fixture
def made(identity: Path, output: Path, capsys: Capture) -> Path:
    arguments = ["--member", f"{identity}:100:50", "--account", f"{RICH}:0.5"]
    assert run(["genesis", "new", *arguments, "--output", str(output)]) == Exit.OK
    capsys.readouterr()
    return output


def test_a_document_holds_what_was_asked_for(made: Path) -> None:
    document = decode_genesis(made.read_bytes())
    amounts = {account.key: (account.balance, account.bonded) for account in document.accounts}

    assert sorted(amounts.values()) == [(500_000, 0), (100_000_000, 50_000_000)]
    assert document.members == (MEMBER.public_key,)


def test_a_validator_offers_resources_and_an_account_without_a_bond_none(made: Path) -> None:
    document = decode_genesis(made.read_bytes())
    offers = {account.key: len(account.resources) for account in document.accounts}

    assert offers[MEMBER.public_key] == 1
    assert sorted(offers.values()) == [0, 1]


def test_a_document_is_shown(made: Path, capsys: Capture) -> None:
    assert run(["genesis", "show", str(made)]) == Exit.OK
    shown = capsys.readouterr().out

    assert "validator" in shown
    assert "0.5" in shown


def test_a_document_is_shown_in_json(made: Path, capsys: Capture) -> None:
    assert run(["genesis", "show", str(made), "--json"]) == Exit.OK
    shown = json.loads(capsys.readouterr().out)

    assert {account["address"] for account in shown["accounts"]} >= {RICH}
    assert shown["members"] == [encode_address(MEMBER.public_key)]


def test_a_home_follows_a_document(made: Path, tmp_path: Path, capsys: Capture) -> None:
    home = tmp_path / "home"

    assert run(["genesis", "use", str(made), "--home", str(home)]) == Exit.OK
    assert run(["genesis", "show", "--home", str(home), "--json"]) == Exit.OK
    assert "follows chain" in capsys.readouterr().out


def test_a_document_is_never_overwritten(made: Path, identity: Path, capsys: Capture) -> None:
    before = made.read_bytes()
    arguments = ["--member", f"{identity}:1:1", "--output", str(made)]

    assert run(["genesis", "new", *arguments]) == Exit.REFUSED
    assert "choose another --output" in capsys.readouterr().err
    assert made.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ([], Exit.USAGE, "at least one --member"),
        (["--member", "{identity}:100"], Exit.USAGE, "needs a bond"),
        (["--member", "{identity}"], Exit.USAGE, "NAME:BALANCE:BOND"),
        (["--member", "{identity}:many:1"], Exit.USAGE, "not an amount"),
        (["--member", "nowhere.json:1:1"], Exit.REFUSED, "not an identity file"),
        (["--account", "lc1typo:1"], Exit.REFUSED, "not an address"),
        (["--member", "{identity}:1:1"] * 2, Exit.REFUSED, "given twice"),
        (["--preset", "moonnet"], Exit.USAGE, "devnet"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    *,
    arguments: list[str],
    code: Exit,
    why: str,
    identity: Path,
    output: Path,
    capsys: Capture,
) -> None:
    filled = [argument.format(identity=identity) for argument in arguments]

    assert run(["genesis", "new", *filled, "--output", str(output)]) == code
    assert why in capsys.readouterr().err.lower().replace("name:balance:bond", "NAME:BALANCE:BOND")
    assert not output.exists()


def test_a_damaged_document_is_refused(made: Path, capsys: Capture) -> None:
    made.write_bytes(made.read_bytes() + b"\0")

    assert run(["genesis", "show", str(made)]) == Exit.REFUSED
    assert "is no genesis document" in capsys.readouterr().err.lower()
