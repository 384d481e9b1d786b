"""``lc-node init`` and ``lc-node key``, as typed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from lc_node.cli.exits import Exit
from lc_node.cli.main import run

Capture: TypeAlias = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("made") / "home"
    assert run(["init", "--home", str(home)]) == Exit.OK
    return home


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "passphrase").write_text("correct horse\nignored\n")
    arguments = ["--home", str(folder / "home"), "--passphrase-file", str(folder / "passphrase")]
    assert run(["init", *arguments]) == Exit.OK
    return folder / "home"


def test_init_prints_the_address_of_the_key(tmp_path: Path, capsys: Capture) -> None:
    assert run(["init", "--home", str(tmp_path / "home"), "--json"]) == Exit.OK
    identity = json.loads(capsys.readouterr().out)

    assert identity["address"].startswith("lc1")
    assert identity == json.loads((tmp_path / "home" / "identity.json").read_text())


def test_init_warns_that_the_key_is_not_encrypted(tmp_path: Path, capsys: Capture) -> None:
    run(["init", "--home", str(tmp_path / "home")])

    assert "not encrypted; give --passphrase-file" in capsys.readouterr().err


def test_init_under_a_passphrase_encrypts_the_key(sealed: Path) -> None:
    assert json.loads((sealed / "key.json").read_text())["kdf"]["type"] == "scrypt"


def test_a_second_init_is_refused(made: Path, capsys: Capture) -> None:
    before = (made / "key.json").read_bytes()

    assert run(["init", "--home", str(made)]) == Exit.REFUSED
    assert "already holds a key" in capsys.readouterr().err
    assert (made / "key.json").read_bytes() == before


def test_the_home_may_be_named_before_the_command(made: Path, capsys: Capture) -> None:
    assert run(["--home", str(made), "key", "show"]) == Exit.OK
    assert str(made) in capsys.readouterr().out


def test_the_home_may_be_named_by_the_environment(
    made: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_HOME", str(made))

    assert run(["key", "show"]) == Exit.OK
    assert str(made) in capsys.readouterr().out


def test_a_key_is_shown_without_its_passphrase(sealed: Path, capsys: Capture) -> None:
    capsys.readouterr()

    assert run(["key", "show", "--home", str(sealed), "--json"]) == Exit.OK
    assert set(json.loads(capsys.readouterr().out)) == {"address", "transport_key", "link"}


def test_a_lost_identity_file_is_made_again(made: Path, capsys: Capture) -> None:
    before = (made / "identity.json").read_bytes()
    (made / "identity.json").unlink()

    assert run(["key", "show", "--home", str(made)]) == Exit.OK
    assert (made / "identity.json").read_bytes() == before
    assert capsys.readouterr().out


def test_a_key_that_is_not_there_names_the_command(tmp_path: Path, capsys: Capture) -> None:
    assert run(["key", "show", "--home", str(tmp_path)]) == Exit.REFUSED
    assert "lc-node init" in capsys.readouterr().err


def test_export_writes_the_key_in_the_clear(made: Path, capsys: Capture) -> None:
    assert run(["key", "export", "--pkcs8", "--home", str(made)]) == Exit.OK
    pem = capsys.readouterr().out

    exported = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(exported, Ed25519PrivateKey)


def test_export_wants_to_be_told_the_format(made: Path, capsys: Capture) -> None:
    assert run(["key", "export", "--home", str(made)]) == Exit.USAGE
    assert "--pkcs8" in capsys.readouterr().err


def test_export_into_a_file_is_for_the_owner_alone(made: Path, tmp_path: Path) -> None:
    target = tmp_path / "backup.pem"
    run(["key", "export", "--pkcs8", "--home", str(made), "--output", str(target)])

    assert target.stat().st_mode & 0o777 == 0o600
    assert b"PRIVATE KEY" in target.read_bytes()


def test_export_overwrites_nothing(made: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    arguments = ["key", "export", "--pkcs8", "--home", str(made), "--output", str(target)]

    assert run(arguments) == Exit.REFUSED
    assert "choose another --output" in capsys.readouterr().err
    assert target.read_text() == "precious"


def passphrase_by_option(path: Path, _patch: pytest.MonkeyPatch) -> list[str]:
    return ["--passphrase-file", str(path)]


def passphrase_by_environment(path: Path, patch: pytest.MonkeyPatch) -> list[str]:
    patch.setenv("LC_PASSPHRASE_FILE", str(path))
    return []


@pytest.mark.parametrize("way", [passphrase_by_option, passphrase_by_environment])
def test_an_encrypted_key_is_exported_with_its_passphrase(
    sealed: Path,
    way: Callable[[Path, pytest.MonkeyPatch], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = way(sealed.parent / "passphrase", monkeypatch)

    assert run(["key", "export", "--pkcs8", "--home", str(sealed), *more]) == Exit.OK


def test_an_encrypted_key_without_passphrase_is_refused(sealed: Path, capsys: Capture) -> None:
    assert run(["key", "export", "--pkcs8", "--home", str(sealed)]) == Exit.REFUSED
    assert "--passphrase-file" in capsys.readouterr().err


def test_a_wrong_passphrase_is_refused(sealed: Path, tmp_path: Path, capsys: Capture) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("wrong horse")
    arguments = [
        "key",
        "export",
        "--pkcs8",
        "--home",
        str(sealed),
        "--passphrase-file",
        str(wrong),
    ]

    assert run(arguments) == Exit.REFUSED
    assert "does not open" in capsys.readouterr().err


def test_an_empty_passphrase_file_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").touch()
    arguments = [
        "init",
        "--home",
        str(tmp_path / "h"),
        "--passphrase-file",
        str(tmp_path / "empty"),
    ]

    assert run(arguments) == Exit.USAGE
    assert "first line" in capsys.readouterr().err
    assert not (tmp_path / "h").exists()
