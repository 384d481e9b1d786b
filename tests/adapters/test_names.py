"""Names are looked up apart, and who cannot be found holds up nobody."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lc_node.adapters.names import Names
from lc_node.ports.transport import Channel, PeerAddress, Refusal
from lc_node.wire.kinds import Kind
from tests.peer_nodes import people, transport, until


@contextmanager
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.close()


def answering(*hosts: str) -> object:
    """Return a look-up that finds these."""
    return lambda _host, _port, **_kind: [(0, 0, 0, "", (host, 0)) for host in hosts]


async def test_an_address_is_its_own_answer() -> None:
    with names() as found:
        assert await found.address("192.0.2.1", 0) == "192.0.2.1"
        assert await found.address("2001:db8::1", 0) == "2001:db8::1"


async def test_each_turn_takes_another_address_of_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answering("192.0.2.1", "192.0.2.2", "192.0.2.1"))
    with names() as found:
        turns = [await found.address("node.example", turn) for turn in range(3)]

    assert turns == ["192.0.2.1", "192.0.2.2", "192.0.2.1"]


async def test_a_name_that_nobody_knows_has_no_address() -> None:
    with names() as found:
        assert await found.address("nobody.invalid", 0) is None


async def test_a_name_server_that_never_answers_holds_up_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ann, bob, eve = people(3)
    asked, over = threading.Event(), threading.Event()

    def never(*_question: object, **_kind: object) -> list[object]:
        asked.set()
        over.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setattr("lc_node.adapters.names._SECONDS", 0.5)
    frame = bytes((Kind.CONSENSUS,)) + b"a vote"
    try:
        async with transport(ann) as a, transport(bob, port=None) as b:
            b.dial(ann.at(a.port), keep=True)
            stalled = PeerAddress(
                public_key=eve.key, transport_key=eve.keys.public, host="stalls.example", port=1
            )
            b.dial(stalled, keep=False)
            await until(asked.is_set)
            await until(lambda: b.send(ann.key, Channel.CONSENSUS, frame))

            assert (await a.receive(Channel.CONSENSUS)).frame == frame
            await until(lambda: b.refusal(eve.key) is Refusal.NO_ANSWER)
    finally:
        over.set()
