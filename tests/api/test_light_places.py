"""Nodes as people write them for a light client."""

import pytest

from lc_node.api.light_errors import BadServer
from lc_node.api.light_places import parse_places, parse_server
from lc_node.chain.types import ChainId
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.join_line import Bootstrap, JoinLine, write_join_line
from tests.peer_nodes import CHAIN, OTHER_CHAIN, people

PLAIN = f"tcp://{'ab' * 32}@localhost:4040"


def line_of(chain_id: ChainId) -> str:
    """Return a join line with two nodes."""
    bootstraps = tuple(
        Bootstrap(
            key=who.key,
            transport_key=who.keys.public,
            endpoints=(Endpoint(host=Host(f"10.0.0.{number}"), port=Port(4040)),),
        )
        for number, who in enumerate(people(2))
    )
    return write_join_line(
        JoinLine(chain_id=chain_id, graph="lab", bootstraps=bootstraps, passes=())
    )


def test_a_join_line_names_nodes_and_their_chain() -> None:
    places = parse_places([line_of(CHAIN)])

    assert places.chain_id == CHAIN
    assert [(one.name, one.node_key) for one in places.servers] == [
        (f"tcp://10.0.0.{number}:4040", who.key) for number, who in enumerate(people(2))
    ]


def test_nodes_may_be_named_beside_a_join_line() -> None:
    assert len(parse_places([line_of(CHAIN), PLAIN]).servers) == 3


def test_a_plain_node_names_no_chain() -> None:
    assert parse_places([PLAIN]).chain_id is None


def test_join_lines_of_two_chains_are_refused() -> None:
    with pytest.raises(BadServer, match="of another chain"):
        parse_places([line_of(CHAIN), line_of(OTHER_CHAIN)])


def test_a_join_line_that_was_cut_is_refused() -> None:
    with pytest.raises(BadServer, match="not a join line"):
        parse_places([line_of(CHAIN)[:-3]])


@pytest.mark.parametrize(
    "text",
    [
        "tcp://localhost:4040",
        "localhost:4040",
        f"tcp://{'0' * 63}@localhost:4040",
        f"tcp://{'0' * 64}@localhost:99999",
        f"tcp://{'0' * 64}@localhost:0",
        f"tcp://{'0' * 64}@:4040",
        f"tcp://{'0' * 64}@no host:4040",
    ],
)
def test_what_names_no_node_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(BadServer, match=r"Write tcp://KEY@HOST:PORT"):
        parse_server(text)


@pytest.mark.parametrize("host", ["localhost", "10.0.0.1", "[::1]"])
def test_a_node_is_named_by_key_host_and_port(host: str) -> None:
    server = parse_server(f"tcp://{'ab' * 32}@{host}:4040")

    assert (server.name, server.transport_key) == (f"tcp://{host}:4040", bytes.fromhex("ab" * 32))
