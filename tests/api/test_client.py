"""The door without an event loop: what a magic or the command line sees."""

import asyncio
import hashlib
import io
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zmq

from lc_node.api import calls, schema
from lc_node.api.client import CallTimedOut, Client, NodeUnreachable, Refused, UnknownThing
from lc_node.api.endpoint import CALLS_SOCKET, close_endpoint, open_endpoint
from lc_node.api.uploading import put_blob
from tests.api.background import Background
from tests.api.sample_service import JOB, REQUEST

SILENCE_SECONDS = 2.0


@pytest.fixture
def node(short: Path) -> Iterator[Background]:
    started = Background(short)
    yield started
    started.stop()


@pytest.fixture
def client(node: Background) -> Iterator[Client]:
    with Client(node.home, silence_seconds=SILENCE_SECONDS) as opened:
        yield opened


def test_a_call_is_answered(client: Client) -> None:
    assert client.hello().api == schema.API_VERSION


def test_an_account_is_asked_for_by_its_address(client: Client) -> None:
    asked = schema.Address("lc1somebody")

    assert client.call(calls.GetAccount(address=asked)).address == asked


def test_a_refusal_is_raised(client: Client) -> None:
    with pytest.raises(Refused, match="balance is too low"):
        client.call(calls.Cancel(job=JOB))


def test_calls_go_on_after_a_refusal(client: Client) -> None:
    with pytest.raises(UnknownThing):
        client.call(calls.GetJob(job=schema.JobId("d" * 64)))
    assert client.call(calls.GetStatus()).height == 7


def test_a_client_may_be_used_inside_a_running_event_loop(client: Client) -> None:
    async def cell() -> schema.Status:
        return client.call(calls.GetStatus())

    assert asyncio.run(cell()).height == 7


def test_threads_call_at_the_same_time(client: Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        heights = pool.map(lambda _: client.call(calls.GetStatus()).height, range(64))

    assert set(heights) == {7}


def test_a_long_call_outlasts_the_silence_that_means_death(
    client: Client, node: Background
) -> None:
    with pytest.raises(CallTimedOut):
        client.call(calls.Check(request=REQUEST), timeout_seconds=SILENCE_SECONDS + 0.5)
    node.loop.call_soon_threadsafe(node.service.release.set)


def test_no_node_is_known_at_once_and_the_remedy_named(tmp_path: Path) -> None:
    with pytest.raises(NodeUnreachable, match="lc-node run"):
        Client(tmp_path)


def test_a_node_that_was_killed_is_known_at_once(short: Path) -> None:
    home = short / "home"
    home.mkdir()
    endpoint = open_endpoint(home, {"XDG_RUNTIME_DIR": str(short)})
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(endpoint.calls)
    (endpoint.folder / CALLS_SOCKET).rename(endpoint.folder / "kept")
    context.destroy(linger=0)
    (endpoint.folder / "kept").rename(endpoint.folder / CALLS_SOCKET)

    with pytest.raises(NodeUnreachable, match="does not run"):
        Client(home)
    close_endpoint(home, endpoint)


def test_a_node_that_hangs_is_given_up(short: Path) -> None:
    home = short / "home"
    home.mkdir()
    endpoint = open_endpoint(home, {"XDG_RUNTIME_DIR": str(short)})
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    hanging = context.socket(zmq.ROUTER)
    hanging.bind(endpoint.calls)  # listens, and never answers
    silent = pytest.raises(NodeUnreachable, match=r"silent for 0\.1 s")
    with Client(home, silence_seconds=0.1) as client, silent:
        client.hello()
    context.destroy(linger=0)


def test_a_call_that_ends_after_closing_leaves_no_socket_open(client: Client) -> None:
    client.close()

    client.hello()

    assert client._idle == []


def test_events_are_followed(client: Client, node: Background) -> None:
    with client.events() as stream:
        node.publish("posted")
        node.publish("bid")
        events = iter(stream)

        assert [next(events).code, next(events).code] == ["posted", "bid"]


def test_waiting_for_an_event_ends_when_none_comes(client: Client) -> None:
    with client.events() as stream:
        assert stream.next(0.05) is None


def test_a_stream_goes_on_from_a_place(client: Client, node: Background) -> None:
    with client.events() as first:
        node.publish("posted")
        first.next(5)
    node.publish("bid")
    with client.events(place=first.place) as second:
        found = second.next(5)

    assert found is not None
    assert found.code == "bid"


def test_a_stream_says_when_the_node_has_gone(client: Client, node: Background) -> None:
    with client.events() as stream:
        node.stop()
        with pytest.raises(NodeUnreachable, match="has gone"):
            stream.next(5)


def test_a_client_survives_a_restart_of_the_node(short: Path) -> None:
    first = Background(short)
    with Client(first.home) as client:
        client.hello()
        first.stop()
        second = Background(short)
        assert client.hello().api == schema.API_VERSION
        second.stop()


def test_a_stream_survives_a_restart_and_marks_the_gap(short: Path) -> None:
    first = Background(short)
    with Client(first.home, silence_seconds=5) as client, client.events() as stream:
        first.stop()
        second = Background(short)
        second.publish("posted")
        codes = [next(iter(stream)).code, next(iter(stream)).code]
        second.stop()

    assert codes == [schema.GAP, "posted"]


def test_a_large_blob_is_put_in_pieces(client: Client) -> None:
    data = bytes(schema.CHUNK_BYTES_MAX) + b"end"
    digest = schema.Digest(hashlib.sha256(data).hexdigest())
    steps: list[int] = []
    put_blob(client, io.BytesIO(data), digest=digest, size=len(data), on_progress=steps.append)

    assert steps == [schema.CHUNK_BYTES_MAX, len(data)]
    assert client.call(calls.MissingBlobs(digests=(digest,))) == ()


def test_a_blob_that_the_node_has_is_not_sent_again(client: Client) -> None:
    digest = schema.Digest(hashlib.sha256(b"once").hexdigest())
    put_blob(client, io.BytesIO(b"once"), digest=digest, size=4)
    steps: list[int] = []
    put_blob(client, io.BytesIO(b"once"), digest=digest, size=4, on_progress=steps.append)

    assert steps == []


def test_a_blob_goes_on_where_it_was_broken_off(client: Client) -> None:
    digest = schema.Digest(hashlib.sha256(b"abcdef").hexdigest())
    client.call(calls.BeginBlob(digest=digest, size=6, naming=schema.Naming.SHA256))
    client.call(calls.PutChunk(digest=digest, offset=0, data=b"abc"))
    steps: list[int] = []
    put_blob(client, io.BytesIO(b"abcdef"), digest=digest, size=6, on_progress=steps.append)

    assert steps == [6]
    assert client.call(calls.ReadBlob(digest=digest, offset=0, length=10)) == b"abcdef"


def test_a_blob_of_other_bytes_is_refused(client: Client) -> None:
    with pytest.raises(Refused) as caught:
        put_blob(client, io.BytesIO(b"abcdef"), digest=schema.Digest("0" * 64), size=6)
    assert caught.value.code == "BlobCorrupt"


def test_a_blob_shorter_than_announced_is_refused(client: Client) -> None:
    with pytest.raises(Refused) as caught:
        put_blob(client, io.BytesIO(b"abc"), digest=schema.Digest("0" * 64), size=6)
    assert caught.value.code == "BlobIncomplete"


def test_a_chunk_out_of_order_is_refused(client: Client) -> None:
    digest = schema.Digest("0" * 64)
    client.call(calls.BeginBlob(digest=digest, size=6, naming=schema.Naming.SHA256))

    with pytest.raises(Refused, match="goes on at byte 0, not 3"):
        client.call(calls.PutChunk(digest=digest, offset=3, data=b"def"))


def test_a_chunk_of_no_blob_is_refused(client: Client) -> None:
    with pytest.raises(UnknownThing, match="begin it first"):
        client.call(calls.PutChunk(digest=schema.Digest("0" * 64), offset=0, data=b"def"))


def test_more_uploads_than_allowed_close_the_oldest(client: Client) -> None:
    names = [schema.Digest(f"{number:064x}") for number in range(9)]
    for name in names:
        client.call(calls.BeginBlob(digest=name, size=6, naming=schema.Naming.SHA256))

    with pytest.raises(UnknownThing):
        client.call(calls.PutChunk(digest=names[0], offset=0, data=b"a"))
    assert client.call(calls.PutChunk(digest=names[1], offset=0, data=b"a")).offset == 1


DROPPED = """
import gc, sys
from pathlib import Path
from lc_node.api.client import Client
client = Client(Path(sys.argv[1]))
client.hello()
client.itself = client
del client
gc.collect()
print("collected")
"""


def test_a_client_that_is_dropped_without_being_closed_holds_nothing_up(node: Background) -> None:
    program = [sys.executable, "-W", "ignore", "-c", DROPPED, str(node.home)]
    done = subprocess.run(program, timeout=20, capture_output=True, text=True, check=True)

    assert done.stdout == "collected\n"
