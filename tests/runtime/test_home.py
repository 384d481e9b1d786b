"""A home is made once, read back, and belongs to one chain."""

from pathlib import Path

import pytest

from lc_node.adapters.keystore import FileKeystore
from lc_node.chain.beacon import LinkChain
from lc_node.chain.codec import encode
from lc_node.chain.errors import InvalidGenesis, MalformedBytes
from lc_node.chain.genesis import Genesis, GenesisAccount, chain_id
from lc_node.chain.params import DEVNET
from lc_node.chain.types import Digest, Link, MicroCredits, Millis
from lc_node.ports.keystore import KeyExists
from lc_node.runtime.home import (
    BadIdentityFile,
    GenesisMissing,
    GenesisTaken,
    Home,
    decode_genesis,
    read_identity,
)

KEYSTORE = FileKeystore(bytes(32))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("made") / "home")
    home.create(None)
    return home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def genesis(graph: str = "test") -> Genesis:
    account = GenesisAccount(
        key=KEYSTORE.public_key,
        balance=MicroCredits(1_000),
        bonded=MicroCredits(1_000),
        resources=(),
        link=(Link(Digest(bytes(32))),),
    )
    return Genesis(
        graph=graph,
        params=DEVNET,
        time=Millis(1),
        accounts=(account,),
        members=(KEYSTORE.public_key,),
    )


def test_a_new_home_has_a_key_that_its_identity_names(made: Home) -> None:
    assert made.identity().key == made.keystore(None).public_key


def test_the_identity_shows_transport_key_and_beacon_link(made: Home) -> None:
    keystore = made.keystore(None)
    identity = made.identity()

    assert identity.transport_key == keystore.transport_public.hex()
    assert identity.link == LinkChain(Digest(keystore.beacon_seed)).commitment.hex()


def test_a_second_key_is_refused_and_the_first_stays(made: Home) -> None:
    before = made.identity()

    with pytest.raises(KeyExists):
        made.create(None)
    assert made.identity() == before


def test_a_new_home_has_settings_that_can_be_read(made: Home) -> None:
    assert made.config_path.exists()
    assert made.config().network.port == 4040


@pytest.mark.parametrize("data", [b'{"address": "lc1nobody"}', b'{"\x80": 1}', b""])
def test_an_identity_that_is_none_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "identity.json"
    path.write_bytes(data)

    with pytest.raises(BadIdentityFile, match="lc-node key show"):
        read_identity(path)


def test_a_home_without_genesis_names_the_commands(home: Home) -> None:
    with pytest.raises(GenesisMissing, match="lc-node genesis use"):
        home.genesis()


def test_a_genesis_document_comes_back(home: Home) -> None:
    assert home.use_genesis(genesis()) == chain_id(genesis())
    assert home.genesis() == genesis()


def test_the_same_genesis_again_changes_nothing(home: Home) -> None:
    home.use_genesis(genesis())
    home.use_genesis(genesis())

    assert home.genesis() == genesis()


def test_a_home_belongs_to_one_chain(home: Home) -> None:
    home.use_genesis(genesis())

    with pytest.raises(GenesisTaken, match="its own --home"):
        home.use_genesis(genesis("another"))


def test_damaged_genesis_bytes_are_refused() -> None:
    with pytest.raises(MalformedBytes):
        decode_genesis(encode(genesis()) + b"\0")


def test_a_genesis_that_no_chain_can_begin_with_is_refused() -> None:
    nobody = Genesis(graph="test", params=DEVNET, time=Millis(1), accounts=(), members=())

    with pytest.raises(InvalidGenesis):
        decode_genesis(encode(nobody))


def test_the_beacon_chain_is_computed_once_and_kept_for_the_owner_alone(
    made: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def grow(_seed: Digest, _links: int) -> list[Link]:
        message = "the chain was kept"
        raise AssertionError(message)

    monkeypatch.setattr("lc_node.chain.beacon._grow", grow)

    links = made.links(made.keystore(None))

    assert links.commitment.hex() == made.identity().link
    assert made.links_path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("harm", ["cut", "shown to others", "gone"])
def test_a_beacon_chain_that_was_harmed_is_computed_anew(made: Home, harm: str) -> None:
    whole = made.links_path.read_bytes()
    if harm == "cut":
        made.links_path.write_bytes(whole[:-1])
    elif harm == "shown to others":
        made.links_path.chmod(0o644)
    else:
        made.links_path.unlink()

    links = made.links(made.keystore(None))

    assert links.commitment.hex() == made.identity().link
    assert made.links_path.read_bytes() == whole
    assert made.links_path.stat().st_mode & 0o777 == 0o600
