"""A light client's connection to a node's peer port: greeted, asked, and given up by name."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from lc_node.adapters.zmq_sockets import generate_transport_keys
from lc_node.api.light_link import LightLink, ServerFailed, opened
from lc_node.api.light_places import Server
from lc_node.chain.types import ChainId, Millis, PublicKey
from lc_node.ports.transport import Channel, PeerAddress
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.invitations import Ticket, invite
from lc_node.wire.join_line import BearerSecret, Pass
from lc_node.wire.messages import Request, encode_message
from lc_node.wire.topics import Topic
from tests.peer_nodes import (
    CHAIN,
    OTHER_CHAIN,
    Recorder,
    SeededSigner,
    node,
    people,
    transport,
    until,
)

T = TypeVar("T")


def server_at(address: PeerAddress) -> Server:
    return Server(
        endpoints=(Endpoint(host=Host(address.host), port=Port(address.port)),),
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
            endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(a.port)),),
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
            await connected(
                Server(
                    endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(a.port)),),
                    transport_key=key,
                ),
                ask,
            )


async def test_where_nobody_listens_the_place_is_named() -> None:
    (ann,) = people(1)
    async with transport(ann) as a:
        gone = Server(
            endpoints=(Endpoint(host=Host("127.0.0.1"), port=Port(a.port)),),
            transport_key=ann.keys.public,
        )
    with pytest.raises(ServerFailed, match=f"tcp://127.0.0.1:{gone.endpoints[0].port} "):
        await connected(gone, ask)


async def test_a_node_that_is_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lc_node.api.light_link.ANSWER_SECONDS", 0.1)
    (ann,) = people(1)
    async with transport(ann) as a:  # nobody reads what comes in
        with pytest.raises(ServerFailed, match="is silent"):
            await connected(server_at(ann.at(a.port)), ask)


class Chatter:
    """Stands for a socket, and for who waits at it: the node always says something, and never the answer."""

    def __init__(self) -> None:
        self.until = time.monotonic() + 5.0

    def poll(self, _millis: int) -> list[tuple["Chatter", int]]:
        assert time.monotonic() < self.until, "it is never given up"
        return [(self, 1)]

    def recv_multipart(self) -> list[bytes]:
        return [encode_message(Request(number=7, topic=Topic.STATE, payload=b"and you?"))]

    def send(self, _frame: bytes, *, flags: int) -> None:
        del flags


async def test_a_node_that_says_everything_but_the_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lc_node.api.light_link.ANSWER_SECONDS", 0.1)
    (ann,) = people(1)

    def ask_chatter(link: LightLink) -> bytes | None:
        with monkeypatch.context() as patched:
            chatter = Chatter()
            patched.setattr(link, "_socket", chatter)
            patched.setattr(link, "_poller", chatter)
            return ask(link)

    async with transport(ann) as a:
        with pytest.raises(ServerFailed, match="is silent"):
            await connected(server_at(ann.at(a.port)), ask_chatter)


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


async def test_a_node_is_reached_at_the_first_of_its_places_that_answers(tmp_path: Path) -> None:
    (ann,) = people(1)
    async with node(ann, tmp_path, heard=Recorder(answer=b"an answer")) as a:
        server = server_at(a.address)
        nowhere = Endpoint(host=Host("127.0.0.1"), port=Port(1))
        server = replace(server, endpoints=(nowhere, *server.endpoints))

        assert await connected(server, ask) == b"an answer"


async def test_an_invitation_is_shown_to_a_private_graph() -> None:
    (ann,) = people(1)
    secret = BearerSecret(bytes(range(32)))
    guest = SeededSigner(int.from_bytes(secret, "big"))
    invitation = invite(ann.signer, CHAIN, guest.public_key, Millis(2**60))
    shown: list[tuple[Ticket, ...]] = []

    def admits(_peer: PublicKey, tickets: tuple[Ticket, ...]) -> bool:
        shown.append(tickets)
        return bool(tickets)

    async with transport(ann, admits=admits) as a:
        server = server_at(ann.at(a.port))
        with pytest.raises(ServerFailed, match="not invited"):
            await connected(server, lambda _link: None)
        invited = replace(server, passes=(Pass(invitation=invitation, secret=(secret,)),))
        await connected(invited, lambda _link: None)

    assert [len(tickets) for tickets in shown] == [0, 1]
    assert shown[1][0].invitation == invitation
