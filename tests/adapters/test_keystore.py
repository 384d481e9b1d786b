"""The key is written once, read only if nobody else could have, and never shown."""

import copy
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from zmq.utils import z85

from lc_node.adapters.keystore import FileKeystore, ScryptCost, is_encrypted, load_keystore
from lc_node.chain.crypto import verify
from lc_node.ports.keystore import (
    KeyExists,
    KeyMalformed,
    KeyMissing,
    KeyUnsafe,
    PassphraseMissing,
    PassphraseWrong,
)

CHEAP = ScryptCost(n=2**4)
SEED = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "key.json"


@pytest.fixture
def plain(path: Path) -> Path:
    FileKeystore(SEED).save(path, None)
    return path


@pytest.fixture
def sealed(path: Path) -> Path:
    FileKeystore(SEED).save(path, "correct horse", CHEAP)
    return path


def edited(path: Path, **changes: object) -> Path:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def test_a_plain_key_comes_back(plain: Path) -> None:
    assert load_keystore(plain, None).public_key == FileKeystore(SEED).public_key


def test_an_encrypted_key_comes_back(sealed: Path) -> None:
    loaded = load_keystore(sealed, "correct horse")

    assert loaded.public_key == FileKeystore(SEED).public_key


def test_an_encrypted_file_does_not_hold_the_seed(sealed: Path) -> None:
    assert SEED.hex() not in sealed.read_text()
    assert is_encrypted(sealed)


def test_a_plain_key_says_that_it_is(plain: Path) -> None:
    assert not is_encrypted(plain)


def test_a_wrong_passphrase_is_told_apart_from_a_damaged_file(sealed: Path) -> None:
    with pytest.raises(PassphraseWrong, match="does not open"):
        load_keystore(sealed, "wrong horse")


def test_a_missing_passphrase_is_asked_for(sealed: Path) -> None:
    with pytest.raises(PassphraseMissing, match="--passphrase-file"):
        load_keystore(sealed, None)


def test_by_default_a_try_costs_128_mebibytes(path: Path) -> None:
    FileKeystore(SEED).save(path, "correct horse")
    kdf = json.loads(path.read_text())["kdf"]

    assert 128 * kdf["n"] * kdf["r"] == 128 * 1024**2
    assert load_keystore(path, "correct horse").public_key == FileKeystore(SEED).public_key


def test_a_key_is_never_overwritten(plain: Path) -> None:
    before = plain.read_bytes()

    with pytest.raises(KeyExists):
        FileKeystore.generate().save(plain, None)
    assert plain.read_bytes() == before


def test_a_refused_write_leaves_no_copy_of_the_key(plain: Path) -> None:
    with pytest.raises(KeyExists):
        FileKeystore.generate().save(plain, None)
    assert [entry.name for entry in plain.parent.iterdir()] == ["key.json"]


def test_file_and_folder_are_for_the_owner_alone(plain: Path) -> None:
    modes = [place.stat().st_mode & 0o777 for place in (plain, plain.parent)]

    assert modes == [0o600, 0o700]


def test_a_folder_in_use_that_others_may_enter_is_left_alone(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    (path.parent / "somebody's file").touch()

    with pytest.raises(KeyUnsafe, match="choose an empty folder"):
        FileKeystore.generate().save(path, None)
    assert path.parent.stat().st_mode & 0o777 == 0o755


def test_a_missing_key_names_the_command(path: Path) -> None:
    with pytest.raises(KeyMissing, match="lc-node init"):
        load_keystore(path, None)


def test_a_key_that_others_can_read_is_refused(plain: Path) -> None:
    plain.chmod(0o640)

    with pytest.raises(KeyUnsafe, match=r"mode 640.*chmod 600"):
        load_keystore(plain, None)


def test_a_key_that_others_could_replace_is_refused(plain: Path) -> None:
    plain.parent.chmod(0o770)

    with pytest.raises(KeyUnsafe, match="chmod 700"):
        load_keystore(plain, None)


def test_a_link_is_refused(plain: Path) -> None:
    link = plain.with_name("link.json")
    link.symlink_to(plain)

    with pytest.raises(KeyUnsafe, match="is a link"):
        load_keystore(link, None)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_key_of_another_user_is_refused(plain: Path) -> None:
    os.chown(plain, 65534, 65534)

    with pytest.raises(KeyUnsafe, match="belongs to user 65534"):
        load_keystore(plain, None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_text("{"),
        lambda path: path.write_bytes(b"\xff\xfe"),
        lambda path: edited(path, version=2),
        lambda path: edited(path, extra=1),
        lambda path: edited(path, seed="abcd"),
        lambda path: edited(path, seed=bytes(32).hex()),
    ],
    ids=["no JSON", "no text", "newer", "unknown key", "short seed", "another's seed"],
)
def test_a_damaged_key_is_refused(plain: Path, damage: Callable[[Path], object]) -> None:
    damage(plain)

    with pytest.raises(KeyMalformed, match="restore it from a backup"):
        load_keystore(plain, None)


def test_an_error_about_a_damaged_key_does_not_quote_it(plain: Path) -> None:
    edited(plain, version=2)

    with pytest.raises(KeyMalformed) as caught:
        load_keystore(plain, None)
    assert SEED.hex() not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_what_an_encrypted_file_says_is_sealed_with_it(sealed: Path) -> None:
    edited(sealed, address=str(FileKeystore.generate()))

    with pytest.raises(PassphraseWrong):
        load_keystore(sealed, "correct horse")


def test_a_file_cannot_ask_for_all_memory(sealed: Path) -> None:
    kdf = json.loads(sealed.read_text())["kdf"]
    edited(sealed, kdf=kdf | {"n": 2**30})

    with pytest.raises(KeyMalformed):
        load_keystore(sealed, "correct horse")


def test_a_signature_verifies() -> None:
    keystore = FileKeystore(SEED)

    assert verify(keystore.public_key, b"message", keystore.sign(b"message"))


def test_a_key_shows_its_address_and_nothing_else() -> None:
    shown = f"{FileKeystore(SEED)!r} {FileKeystore(SEED)}"

    assert shown.startswith("FileKeystore(lc1")
    assert SEED.hex() not in shown


def test_a_key_cannot_be_copied_into_other_processes() -> None:
    with pytest.raises(TypeError, match="not copied"):
        copy.deepcopy(FileKeystore(SEED))


def test_derived_secrets_differ_from_each_other_and_from_the_seed() -> None:
    keystore = FileKeystore(SEED)
    secrets = {SEED, keystore.transport_secret, keystore.beacon_seed, keystore.salt_seed}

    assert len(secrets) == 4


def hkdf(tag: bytes) -> bytes:
    """Return 32 bytes as RFC 5869 derives them: extract without salt, expand once."""
    extracted = hmac.digest(bytes(32), SEED, hashlib.sha256)
    return hmac.digest(extracted, tag + b"\1", hashlib.sha256)


def test_secrets_are_derived_by_hkdf_under_their_tags() -> None:
    keystore = FileKeystore(SEED)

    assert keystore.transport_secret == hkdf(b"lc/transport/1")
    assert keystore.beacon_seed == hkdf(b"lc/beacon-seed/1")
    assert keystore.salt_seed == hkdf(b"lc/salt/1")


def test_the_transport_key_pair_is_one_that_zeromq_agrees_on() -> None:
    keystore = FileKeystore(SEED)
    public = zmq.curve_public(z85.encode(keystore.transport_secret))

    assert z85.decode(public) == keystore.transport_public


def test_an_exported_key_is_the_same_key() -> None:
    exported = load_pem_private_key(FileKeystore(SEED).export_pkcs8(), password=None)

    assert isinstance(exported, Ed25519PrivateKey)
    assert exported.private_bytes_raw() == SEED
