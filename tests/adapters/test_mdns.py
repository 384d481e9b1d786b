"""Neighbours hear each other by real multicast, on the loopback interface."""

import asyncio
import errno
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from zeroconf import IPVersion, const
from zeroconf._dns import DNSPointer
from zeroconf._protocol.outgoing import DNSOutgoing
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from lc_node.adapters.mdns import SERVICE, MulticastNeighbours
from lc_node.chain.crypto import sha256
from lc_node.chain.types import PublicKey
from lc_node.ports.neighbours import Presence
from lc_node.wire.session import TransportKey
from tests.peer_nodes import CHAIN, PATIENCE_SECONDS, until

pytestmark = pytest.mark.slow

LOOPBACK = "127.0.0.1"


def presence(number: int, graph: str = "lab") -> Presence:
    return Presence(
        graph=graph,
        chain_id=None,
        key=PublicKey(sha256(bytes([number]))),
        transport_key=TransportKey(b"t" * 32),
        port=4040 + number,
    )


@asynccontextmanager
async def room(*names: Presence) -> AsyncIterator[tuple[MulticastNeighbours, ...]]:
    """Let these announce themselves and listen for as long as the context lasts."""
    people = tuple(MulticastNeighbours(one.key, host=LOOPBACK) for one in names)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(one.run()) for one in people]
        for one, said in zip(people, names, strict=True):
            one.announce(said)
        try:
            yield people
        finally:
            for task in running:
                task.cancel()


async def heard(listener: MulticastNeighbours, is_there: Callable[[list[Presence]], bool]) -> None:
    async with asyncio.timeout(2 * PATIENCE_SECONDS):
        while not is_there([one.presence for one in listener.heard]):
            await listener.changed()


async def test_two_in_a_room_hear_each_other_and_not_themselves() -> None:
    ann, bob = presence(1), presence(2)
    async with room(ann, bob) as (listener_ann, listener_bob):
        await heard(listener_ann, lambda found: found == [bob])
        await heard(listener_bob, lambda found: found == [ann])

        assert listener_ann.heard[0].host == LOOPBACK


async def test_what_a_node_says_later_replaces_what_it_said() -> None:
    ann, bob = presence(1), presence(2)
    async with room(ann, bob) as (listener, speaker):
        await heard(listener, lambda found: found == [bob])
        speaker.announce(replace(bob, chain_id=CHAIN))

        await heard(listener, lambda found: found == [replace(bob, chain_id=CHAIN)])


async def test_who_falls_silent_is_forgotten() -> None:
    ann, bob = presence(1), presence(2)
    async with room(ann, bob) as (listener, speaker):
        await heard(listener, lambda found: found == [bob])
        speaker.announce(None)

        await heard(listener, lambda found: found == [])


async def test_who_leaves_the_room_says_so() -> None:
    ann, bob = presence(1), presence(2)
    async with room(ann) as (listener,):
        async with room(bob):
            await heard(listener, lambda found: found == [bob])

        await heard(listener, lambda found: found == [])


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({"key": "zz"}, LOOPBACK),
        ({"v": "2"}, LOOPBACK),
        ({"graph": ""}, LOOPBACK),
        ({"chain": "12"}, LOOPBACK),
        ({}, "192.0.2.200"),
    ],
)
async def test_what_is_not_an_announcement_of_ours_is_not_heard(
    changes: dict[str, str], address: str
) -> None:
    said = {"v": "1", "graph": "lab", "key": "11" * 32, "transport": "22" * 32}
    strange = AsyncServiceInfo(
        SERVICE,
        f"strange.{SERVICE}",
        port=4040,
        parsed_addresses=[address],
        properties={**said, **changes},
    )
    stranger = AsyncZeroconf(interfaces=[LOOPBACK], ip_version=IPVersion.V4Only)
    ann, bob = presence(1), presence(2)
    try:
        await (await stranger.async_register_service(strange))
        async with room(ann, bob) as (listener, _speaker):
            await heard(listener, lambda found: bob in found)

            assert [one.presence for one in listener.heard] == [bob]
    finally:
        await stranger.async_close()


async def test_a_stolen_name_does_not_silence_its_owner() -> None:
    ann, bob = presence(1), presence(2)
    thief = AsyncZeroconf(interfaces=[LOOPBACK], ip_version=IPVersion.V4Only)
    stolen = AsyncServiceInfo(
        SERVICE,
        f"{bob.key.hex()[:32]}.{SERVICE}",
        port=1,
        parsed_addresses=[LOOPBACK],
        properties={"v": "1"},
    )
    try:
        await (await thief.async_register_service(stolen))
        async with room(ann, bob) as (listener, _speaker):
            await heard(listener, lambda found: found == [bob])
    finally:
        await thief.async_close()


def pointer_to(name: str) -> DNSOutgoing:
    """Return an announcement of a name by one who is bound to no rule."""
    said = DNSOutgoing(const._FLAGS_QR_RESPONSE | const._FLAGS_AA)  # has no other name
    pointer = DNSPointer(SERVICE, const._TYPE_PTR, const._CLASS_IN, 120, name)
    said.add_answer_at_time(pointer, 0)
    return said


@pytest.mark.parametrize(
    "name", ["evil.", f"a\x01b.{SERVICE}", f"{'x' * 63}.{'x' * 63}.{'x' * 63}.{SERVICE}"]
)
async def test_a_name_that_is_none_stops_nobody_from_hearing(name: str) -> None:
    ann, bob = presence(1), presence(2)
    stranger = AsyncZeroconf(interfaces=[LOOPBACK], ip_version=IPVersion.V4Only)
    try:
        await stranger.zeroconf.async_wait_for_start()
        async with room(ann, bob) as (listener, speaker):
            await heard(listener, lambda found: found == [bob])
            stranger.zeroconf.async_send(pointer_to(name))
            speaker.announce(replace(bob, chain_id=CHAIN))

            await heard(listener, lambda found: found == [replace(bob, chain_id=CHAIN)])
    finally:
        await stranger.async_close()


async def test_what_goes_wrong_with_a_socket_is_said_and_not_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENODEV, "the cable is out")

    monkeypatch.setattr(AsyncZeroconf, "async_register_service", fail)
    with caplog.at_level(logging.WARNING):
        async with room(presence(1)):
            await until(lambda: "the cable is out" in caplog.text)


async def test_a_machine_without_such_an_interface_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    listener = MulticastNeighbours(presence(1).key, host="192.0.2.77")
    with caplog.at_level(logging.WARNING):
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(listener.run())
            await until(lambda: bool(caplog.records))
            running.cancel()

    assert "no network interface" in caplog.text
    assert listener.heard == ()
