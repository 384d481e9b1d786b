"""Calls and events through real sockets, with an event loop on both sides."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeAlias

import pytest
import zmq
import zmq.asyncio

from lc_node.api import calls, codec, schema
from lc_node.api.async_client import AsyncClient
from lc_node.api.endpoint import find_endpoint, read_token
from lc_node.api.errors import (
    ApiError,
    BadCall,
    CallTimedOut,
    NodeFailed,
    NotAllowed,
    Overloaded,
    Refused,
    UnknownThing,
)
from lc_node.api.server import CALLS_AT_ONCE_MAX, ApiServer
from tests.api.sample_service import (
    JOB,
    OTHER_JOB,
    POLICY,
    REQUEST,
    SampleService,
    event,
    serving,
)

Node: TypeAlias = tuple[ApiServer, SampleService]


@pytest.fixture
async def node(short: Path) -> AsyncIterator[Node]:
    async with serving(short) as pair:
        yield pair


@pytest.fixture
async def client(short: Path, node: Node) -> AsyncIterator[AsyncClient]:
    assert node
    async with AsyncClient(short / "home") as opened:
        yield opened


NUMBER = b"\0" * codec.NUMBER_BYTES


class Raw:
    """A client that speaks frames."""

    def __init__(self, home: Path) -> None:
        self.endpoint = find_endpoint(home, {})
        self.token = read_token(self.endpoint)
        self.context = zmq.asyncio.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.set(zmq.LINGER, 0)
        self.socket.connect(self.endpoint.calls)

    async def send(self, number: bytes, call: calls.AnyCall) -> None:
        """Send a call without waiting for its answer."""
        await self.socket.send_multipart([self.token, number, codec.encode_call(call)])

    async def receive(self) -> list[bytes]:
        """Return the next frames."""
        async with asyncio.timeout(5):
            return await self.socket.recv_multipart()

    async def ask(self, *frames: bytes) -> bytes:
        """Send frames, and return the answer to the number in the second."""
        await self.socket.send_multipart(list(frames))
        while True:
            payload = codec.payload_for(frames[1], await self.receive())
            if payload is not None:
                return payload


@pytest.fixture
async def raw(short: Path, node: Node) -> AsyncIterator[Raw]:
    assert node
    opened = Raw(short / "home")
    yield opened
    opened.context.destroy(linger=0)


async def test_a_call_is_answered(client: AsyncClient) -> None:
    status = await client.call(calls.GetStatus())

    assert (status.height, status.peers) == (7, 3)


async def test_a_call_without_an_answer_is_answered_with_nothing(raw: Raw) -> None:
    nil = b"\xc0"

    assert await raw.ask(raw.token, NUMBER, codec.encode_call(calls.StopRun(job=JOB))) == nil


async def test_what_is_set_is_what_holds(client: AsyncClient) -> None:
    await client.call(calls.SetPolicy(policy=POLICY))

    assert await client.call(calls.GetPolicy()) == POLICY


async def test_an_unknown_job_is_named(client: AsyncClient) -> None:
    with pytest.raises(UnknownThing, match="No job dddd") as caught:
        await client.call(calls.GetJob(job=schema.JobId("d" * 64)))
    assert caught.value.code == "UnknownJob"


async def test_a_rule_of_the_chain_refuses_under_its_name(client: AsyncClient) -> None:
    with pytest.raises(Refused, match="balance is too low") as caught:
        await client.call(calls.Cancel(job=JOB))
    assert caught.value.code == "BalanceTooLow"


async def test_a_refusal_brings_its_fields(client: AsyncClient) -> None:
    with pytest.raises(Refused) as caught:
        await client.call(calls.TopUp(job=JOB, amount=schema.MicroCredits(1)))
    assert caught.value.fields == {"phase": "settled"}


async def test_a_bug_ends_one_call_and_tells_no_secret(client: AsyncClient) -> None:
    with pytest.raises(NodeFailed) as caught:
        await client.call(calls.GetMachine())
    assert "secret" not in str(caught.value)
    assert (await client.call(calls.Hello())).api == schema.API_VERSION


async def test_a_node_that_works_on_a_call_says_so(raw: Raw, node: Node) -> None:
    await raw.send(NUMBER, calls.Check(request=REQUEST))
    heard = [await raw.receive() for _ in range(3)]
    node[1].release.set()

    assert {frames[1] for frames in heard} == {codec.Kind.WORKING.value}


async def test_a_caller_may_be_less_patient(client: AsyncClient) -> None:
    with pytest.raises(CallTimedOut, match=r"still busy with 'check' after 0\.05 s"):
        await client.call(calls.Check(request=REQUEST), timeout_seconds=0.05)


async def test_calls_are_answered_out_of_order(client: AsyncClient, node: Node) -> None:
    async with asyncio.TaskGroup() as group:
        check = group.create_task(client.call(calls.Check(request=REQUEST)))
        await client.call(calls.Hello())
        assert not check.done()
        node[1].release.set()


async def test_too_many_calls_at_once_are_refused(raw: Raw, node: Node) -> None:
    for number in range(CALLS_AT_ONCE_MAX):
        await raw.send(number.to_bytes(8, "big"), calls.Check(request=REQUEST))

    with pytest.raises(Overloaded):
        await raw.ask(raw.token, b"too many", codec.encode_call(calls.Hello()))
    node[1].release.set()


async def test_a_number_in_use_is_refused(raw: Raw, node: Node) -> None:
    await raw.send(NUMBER, calls.Check(request=REQUEST))

    with pytest.raises(Refused, match="number is in use"):
        await raw.ask(raw.token, NUMBER, codec.encode_call(calls.Hello()))
    node[1].release.set()


async def test_a_wrong_token_is_refused(raw: Raw) -> None:
    with pytest.raises(NotAllowed):
        await raw.ask(b"wrong", NUMBER, codec.encode_call(calls.Hello()))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xc1", b"\x80", b"\x91" * 5000, b"\x82\xa3api\x01\xa4call\x81\xa4call\xa4nope"],
    ids=["empty", "not MessagePack", "no envelope", "nested", "unknown call"],
)
async def test_a_bad_payload_is_refused_and_the_node_lives(raw: Raw, payload: bytes) -> None:
    with pytest.raises(BadCall):
        await raw.ask(raw.token, NUMBER, payload)
    assert await raw.ask(raw.token, NUMBER, codec.encode_call(calls.Hello()))


@pytest.mark.parametrize("frames", [[b""], [b"a", b"b"], [b"", b"short", b""], [b""] * 9], ids=len)
async def test_frames_that_are_no_call_are_dropped_and_the_node_lives(
    raw: Raw, frames: list[bytes]
) -> None:
    await raw.socket.send_multipart(frames)

    assert await raw.ask(raw.token, NUMBER, codec.encode_call(calls.Hello()))


async def test_another_version_is_told_who_should_upgrade(raw: Raw) -> None:
    newer = codec.encode_call(calls.Hello()).replace(b"\xa3api\x01", b"\xa3api\x02")

    with pytest.raises(BadCall, match="upgrade the node") as caught:
        await raw.ask(raw.token, NUMBER, newer)
    assert caught.value.code == "VersionMismatch"


async def take(stream: AsyncIterator[schema.Event], count: int) -> list[schema.Event]:
    return [await anext(stream) for _ in range(count)]


async def here(client: AsyncClient) -> schema.Place:
    return (await client.call(calls.EventsSince(place=schema.Place()))).latest


async def test_events_come_in_order(client: AsyncClient, node: Node) -> None:
    stream = client.events(place=await here(client))
    codes = []
    for code in ("posted", "bid", "settled"):
        node[0].publish(event(code))
        codes.append((await anext(stream)).code)

    assert codes == ["posted", "bid", "settled"]


async def test_a_reader_of_one_job_hears_of_no_other(client: AsyncClient, node: Node) -> None:
    stream = client.events(job=JOB, place=await here(client))
    node[0].publish(event("bid", job=OTHER_JOB))
    node[0].publish(event("posted", job=JOB))

    assert (await anext(stream)).code == "posted"


async def test_a_reader_catches_up_on_what_it_missed(client: AsyncClient, node: Node) -> None:
    server = node[0]
    server.publish(event("posted"))
    place = await here(client)
    server.publish(event("bid"))
    server.publish(event("settled"))
    found = await take(client.events(place=place), 2)

    assert [(one.sequence, one.code) for one in found] == [(2, "bid"), (3, "settled")]


async def test_a_place_of_another_life_begins_with_a_gap(client: AsyncClient, node: Node) -> None:
    node[0].publish(event("posted"))
    found = await take(
        client.events(place=schema.Place(life="earlier", sequence=schema.Sequence(9))), 2
    )

    assert [one.code for one in found] == [schema.GAP, "posted"]


async def test_a_client_survives_a_restart_of_the_node(short: Path) -> None:
    async with serving(short):
        client = AsyncClient(short / "home")
        await client.call(calls.Hello())
    async with serving(short):
        assert (await client.call(calls.Hello())).software == "0.1.0"
    client.close()


async def test_a_blob_goes_in_and_comes_out(client: AsyncClient) -> None:
    data = b"layer" * 1000
    digest = schema.Digest(hashlib.sha256(data).hexdigest())
    await client.call(calls.BeginBlob(digest=digest, size=len(data), naming=schema.Naming.SHA256))
    await client.call(calls.PutChunk(digest=digest, offset=0, data=data))
    await client.call(calls.EndBlob(digest=digest))

    assert await client.call(calls.MissingBlobs(digests=(digest,))) == ()
    assert await client.call(calls.ReadBlob(digest=digest, offset=5, length=5)) == b"layer"


async def test_every_call_has_a_method_that_answers_it(
    node: Node,
) -> None:
    names = {str(kind.__struct_config__.tag) for kind in calls.CALLS} - {"events_since"}

    assert all(callable(getattr(node[1], name)) for name in names)


def test_an_error_keeps_its_class_on_its_way() -> None:
    for kind in (Refused, UnknownThing, Overloaded):
        with pytest.raises(kind, match="text") as caught:
            codec.raise_refusal(codec.encode_refusal(kind("Code", "text", {"a": "b"})))
        assert (caught.value.code, caught.value.fields) == ("Code", {"a": "b"})


def test_an_error_of_a_later_version_is_still_an_error() -> None:
    class Newer(ApiError):
        """An error that this version does not know."""

    with pytest.raises(ApiError, match="text"):
        codec.raise_refusal(codec.encode_refusal(Newer("Code", "text")))
