"""A devnet's homes are made once; what is there goes on."""

import shutil
import socket
from pathlib import Path

import pytest

from lc_node.chain.genesis import chain_id
from lc_node.runtime import devnet
from lc_node.runtime.devnet import Place, Role, free_ports, prepare

ROLES = (
    Role(name="one", bonded=100, votes=True),
    Role(name="two", bonded=20, trains=True),
    Role(name="three", conduct="liar"),
)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, ...]:
    """Growing a beacon chain for each home takes a second, so they are made once."""
    return prepare(tmp_path_factory.mktemp("devnet"), ROLES)


def chains(places: tuple[Place, ...]) -> set[bytes]:
    return {chain_id(place.home.genesis()) for place in places}


def test_all_nodes_follow_one_chain_whose_voters_are_those_that_vote(
    places: tuple[Place, ...],
) -> None:
    genesis = places[0].home.genesis()

    assert len(chains(places)) == 1
    assert genesis.members == (places[0].identity.key,)


def test_every_node_dials_those_before_it(places: tuple[Place, ...]) -> None:
    dialed = [place.home.config().network.peers for place in places]

    assert [[peer.port for peer in peers] for peers in dialed] == [
        [],
        [places[0].port],
        [places[0].port, places[1].port],
    ]


def test_only_trainers_take_work(places: tuple[Place, ...]) -> None:
    assert [place.home.config().work.work for place in places] == [False, True, False]


def test_a_devnet_that_is_there_goes_on(tmp_path: Path, places: tuple[Place, ...]) -> None:
    folder = tmp_path / "devnet"
    shutil.copytree(places[0].home.path.parent, folder)

    after = prepare(folder, ROLES)

    assert [place.identity for place in after] == [place.identity for place in places]
    assert chains(after) == chains(places)


def test_a_devnet_whose_making_was_cut_off_is_completed(
    tmp_path: Path, places: tuple[Place, ...]
) -> None:
    folder = tmp_path / "devnet"
    shutil.copytree(places[0].home.path.parent, folder)
    (folder / "two" / "genesis.bin").unlink()

    assert chains(prepare(folder, ROLES)) == chains(places)


def test_ports_are_free_and_differ() -> None:
    ports = free_ports(5)

    assert len(set(ports)) == 5
    assert min(ports) > 1_023


def test_no_port_is_one_that_the_system_gives_to_connections() -> None:
    with socket.socket() as given:
        given.bind(("127.0.0.1", 0))
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])

        assert max(free_ports(5)) < first <= given.getsockname()[1]


def test_a_port_that_somebody_listens_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr(devnet, "_PORTS_AMONG", 2)
    monkeypatch.setattr(devnet, "_ephemeral_from", lambda: port + 1)
    with socket.create_server(("127.0.0.1", port)):
        assert port not in free_ports(2)


def test_where_the_system_gives_all_ports_to_connections_there_are_some_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devnet, "_ephemeral_from", lambda: 1_024)

    assert len(free_ports(5)) == 5
