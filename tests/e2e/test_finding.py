"""Real nodes that each know one bootstrap peer find all others, also from behind a NAT, also without it later."""

import time
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from lc_node.api.calls import GetPeers, GetStatus, Transfer
from lc_node.api.schema import Address, MicroCredits
from lc_node.chain.params import CREDIT
from lc_node.runtime.devnet import Devnet, Place, Role
from tests.e2e.graphs import living, patient_client, wait_for_height

pytestmark = pytest.mark.slow

BOOTSTRAP: Final = "bootstrap"
INSIDE: Final = "inside"
OUTSIDE: Final = "outside"
VALIDATORS: Final = ("validator-1", "validator-2", "validator-3")
ROLES: Final = (
    Role(name=BOOTSTRAP),
    *(Role(name=name, bonded=100, votes=True) for name in VALIDATORS),
    Role(name=INSIDE),
    Role(name=OUTSIDE),
)
PATIENCE_SECONDS: Final = 90.0
ONLY_DIALS_OUT: Final = "[network]\nlisten = false\n"


class Sparse(Devnet):
    """A devnet whose nodes all list the first one, and one of which only dials out."""

    def __init__(self, places: Sequence[Place]) -> None:
        """Shorten the lists."""
        super().__init__(places)
        for place in places[1:]:
            text = place.home.config_path.read_text(encoding="utf-8")
            head, first, *_others = text.split("[[network.peers]]")
            if place.role.name == INSIDE:
                head = head.replace("[network]\n", ONLY_DIALS_OUT)
            place.home.config_path.write_text(f"{head}[[network.peers]]{first}", encoding="utf-8")


@pytest.fixture
def net() -> Iterator[Devnet]:
    """Six nodes that have found each other."""
    with living(ROLES, Sparse) as devnet:
        yield devnet


def connected(devnet: Devnet, name: str) -> set[str]:
    """Return the names of the nodes that one is connected to."""
    names = {place.identity.address: place.role.name for place in devnet.places}
    with patient_client(devnet, name) as client:
        return {names[one.address] for one in client.call(GetPeers()) if not one.software}


def remember(devnet: Devnet, name: str) -> None:
    """Return once a node has written down whom it has reached, which it does within seconds."""
    book = devnet.place(name).home.peers_path
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not book.exists():
        assert time.monotonic() < deadline, f"no {book}"
        time.sleep(0.1)


def pay(devnet: Devnet, by: str, to: str) -> None:
    with patient_client(devnet, by) as client:
        address = Address(devnet.place(to).identity.address)
        client.call(Transfer(to=address, amount=MicroCredits(CREDIT)))


def test_all_nodes_find_each_other_and_the_one_that_only_dials_out_takes_part(net: Devnet) -> None:
    everybody = {role.name for role in ROLES}

    assert all(connected(net, name) == everybody - {name} for name in everybody)
    pay(net, INSIDE, OUTSIDE)
    pay(net, OUTSIDE, INSIDE)
    with patient_client(net, INSIDE) as client:
        peers = client.call(GetPeers())
    assert all(one.is_outbound for one in peers)
    assert {one.known_from for one in peers} == {"listed", "record"}


def test_a_node_comes_back_by_its_book_when_the_bootstrap_peer_is_gone(net: Devnet) -> None:
    remember(net, OUTSIDE)
    net.kill(OUTSIDE)
    net.kill(BOOTSTRAP)
    net.start(OUTSIDE)
    net.wait_ready([OUTSIDE, *VALIDATORS, INSIDE])

    pay(net, OUTSIDE, VALIDATORS[0])
    with patient_client(net, INSIDE) as client:
        height = client.call(GetStatus()).height
    with patient_client(net, OUTSIDE) as client:
        wait_for_height(client, height)
