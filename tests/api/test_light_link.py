"""A light client's connection to a node's peer port: greeted, asked, and given up by name."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from lc_node.adapters.zmq_sockets import generate_transport_keys
from lc_node.api.light_errors import BadServer
from lc_node.api.light_link import LightLink, Server, ServerFailed, opened, parse_server
from lc_node.chain.types import ChainId
from lc_node.ports.transport import Channel, PeerAddress
from lc_node.wire.topics import Topic
from tests.peer_nodes import CHAIN, OTHER_CHAIN, Recorder, node, people, transport, until

T = TypeVar("T")


def server_at(address: PeerAddress) -> Server:
    return Server(
        host=address.host,
        port=address.port,
        transport_key=address.transport_key,
        node_key=address.public_key,
    )


async def connected(
    server: Server, do: Callable[[LightLink], T], *, chain_id: ChainId = CHAIN
) -> T:
    """Return what is done over a connection, in a thread: the client blocks."""

    def talk() -> T:
        with opened(server, chain_id) as link:
            return do(link)

    return await asyncio.to_thread(talk)


def ask(link: LightLink) -> bytes | None:
    return link.ask(Topic.STATE, b"a question")


async def test_a_node_answers_who_is_no_node(tmp_path: Path) -> None:
    (ann,) = people(1)
    async with node(ann, tmp_path, heard=Recorder(answer=b"an answer")) as a:
        said = await connected(server_at(a.address), ask)

    assert said == b"an answer"
    assert [(topic, question) for _, topic, question in a.heard.requests] == [
        (Topic.STATE, b"a question")
    ]


async def test_a_node_may_have_no_answer(tmp_path: Path) -> None:
    (ann,) = people(1)
    async with node(ann, tmp_path) as a:
        assert await connected(server_at(a.address), ask) is None


async def test_several_questions_are_asked_over_one_connection(tmp_path: Path) -> None:
    (ann,) = people(1)
    async with node(ann, tmp_path, heard=Recorder(answer=b"an answer")) as a:
        said = await connected(server_at(a.address), lambda link: [ask(link), ask(link)])

    assert said == [b"an answer", b"an answer"]


async def test_who_only_asks_is_no_peer(tmp_path: Path) -> None:
    (ann,) = people(1)
    async with node(ann, tmp_path, heard=Recorder(answer=b"an answer")) as a:
        peers = await connected(
            server_at(a.address), lambda link: (ask(link), a.transport.peers)[1]
        )

    assert peers == ()


async def test_each_connection_has_a_key_of_its_own(tmp_path: Path) -> None:
    (ann,) = people(1)
    async with node(ann, tmp_path, heard=Recorder(answer=b"an answer")) as a:
        for _ in range(2):
            await connected(server_at(a.address), ask)

    assert len({asker for asker, _, _ in a.heard.requests}) == 2


async def test_a_node_of_another_chain_refuses() -> None:
    (ann,) = people(1)
    async with transport(ann) as a:
        with pytest.raises(ServerFailed, match="other chain"):
            await connected(server_at(ann.at(a.port)), ask, chain_id=OTHER_CHAIN)


async def test_a_node_with_another_key_than_was_said_is_not_asked() -> None:
    ann, bob = people(2)
    async with transport(ann) as a:
        false = Server(
            host="127.0.0.1",
            port=a.port,
            transport_key=ann.keys.public,
            node_key=bob.key,
        )
        with pytest.raises(ServerFailed, match="other node"):
            await connected(false, ask)


async def test_a_node_without_the_transport_key_is_given_up_at_once() -> None:
    (ann,) = people(1)
    async with transport(ann) as a:
        key = generate_transport_keys().public
        with pytest.raises(ServerFailed, match="does not answer"):
            await connected(Server(host="127.0.0.1", port=a.port, transport_key=key), ask)


async def test_where_nobody_listens_the_place_is_named() -> None:
    (ann,) = people(1)
    async with transport(ann) as a:
        gone = Server(host="127.0.0.1", port=a.port, transport_key=ann.keys.public)
    with pytest.raises(ServerFailed, match=f"tcp://127.0.0.1:{gone.port} "):
        await connected(gone, ask)


async def test_a_node_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lc_node.api.light_link.ANSWER_SECONDS", 0.1)
    (ann,) = people(1)
    async with transport(ann) as a:  # nobody reads what comes in
        with pytest.raises(ServerFailed, match="is silent"):
            await connected(server_at(ann.at(a.port)), ask)


async def test_only_so_many_may_only_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lc_node.adapters.zmq_switchboard.GUESTS_MAX", 1)
    ann, bob = people(2)
    async with transport(ann) as a:
        server = server_at(ann.at(a.port))

        def second(_link: LightLink) -> str:
            with pytest.raises(ServerFailed) as caught, opened(server, CHAIN):
                pass
            return str(caught.value)

        assert "full" in await connected(server, second)
        async with transport(bob, peers=[ann.at(a.port)], port=None) as b:
            await until(lambda: bob.key in a.peers)
            await until(lambda: b.send(ann.key, Channel.BULK, b"\x08"))


@pytest.mark.parametrize(
    "text",
    [
        "tcp://localhost:4040",
        "localhost:4040",
        f"tcp://{'0' * 63}@localhost:4040",
        f"tcp://{'0' * 64}@localhost:99999",
        f"tcp://{'0' * 64}@localhost:0",
        f"tcp://{'0' * 64}@:4040",
    ],
)
def test_what_names_no_node_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(BadServer, match=r"Write tcp://KEY@HOST:PORT"):
        parse_server(text)


@pytest.mark.parametrize("host", ["localhost", "10.0.0.1", "[::1]"])
def test_a_node_is_named_by_key_host_and_port(host: str) -> None:
    server = parse_server(f"tcp://{'ab' * 32}@{host}:4040")

    assert (server.host, server.port, server.transport_key) == (
        host,
        4040,
        bytes.fromhex("ab" * 32),
    )
