"""Blobs from several real peers at once, some of which lie, die, or lack them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root
from lc_node.ports.stores import Naming
from lc_node.ports.transport import Channel
from lc_node.runtime.network import BlobUnavailable
from lc_node.wire import blobs
from lc_node.wire.blobs import TIMEOUT
from lc_node.wire.messages import (
    Blob,
    Chunk,
    DataLost,
    GetBlob,
    GetChunk,
    decode_message,
    encode_message,
)
from tests.peer_nodes import Node, Who, node, people, transport, until
from tests.runtime.test_network import connected

MIB = 1024 * 1024
SIZE_MAX = ByteCount(64 * MIB)


def content(size: int) -> bytes:
    return hashlib.shake_128(b"content").digest(size)


def chunks_of(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES))


def put(one: Node, tmp_path: Path, data: bytes, naming: Naming) -> Digest:
    source = tmp_path / "source"
    source.write_bytes(data)
    return one.blobs.put_file(source, naming)[0]


@dataclass
class Byzantine:
    """A peer that answers about a blob as it pleases."""

    who: Who
    served: list[int] = field(default_factory=list)


@asynccontextmanager
async def byzantine(
    who: Who, to: Node, data: bytes, *, described: bytes, chunks_max: int, lost: int = 0
) -> AsyncIterator[Byzantine]:
    """Run a peer that describes one content and serves another, and falls silent after a while.

    Of what it is asked for the first ``lost`` chunks go astray with their data connection.
    """
    me = Byzantine(who)
    async with (
        transport(who, peers=[to.address], port=None) as below,
        asyncio.TaskGroup() as tasks,
    ):

        async def answer() -> None:
            astray = 0
            while True:
                question = decode_message((await below.receive(Channel.BULK)).frame)
                reply: Blob | Chunk | DataLost | None = None
                if isinstance(question, GetBlob):
                    digests = tuple(Digest(chunk_digest(chunk)) for chunk in chunks_of(described))
                    size = ByteCount(len(described))
                    reply = Blob(digest=question.digest, size=size, chunk_digests=digests)
                elif isinstance(question, GetChunk) and astray < lost:
                    astray += 1
                    reply = DataLost() if astray == lost else None
                elif isinstance(question, GetChunk) and len(me.served) < chunks_max:
                    me.served.append(question.index)
                    bad = chunks_of(data)[question.index]
                    reply = Chunk(
                        digest=question.digest, index=question.index, data=memoryview(bad)
                    )
                if reply is not None:
                    below.send(to.who.key, Channel.BULK, encode_message(reply))

        answering = tasks.create_task(answer())
        await until(lambda: who.key in to.network.connected)
        await until(
            lambda: to.transport._switchboard.links.heard(who.key, Channel.BULK) is not None
        )
        try:
            yield me
        finally:
            answering.cancel()


@pytest.mark.parametrize("naming", Naming)
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 5])
async def test_a_blob_arrives_whole(tmp_path: Path, naming: Naming, size: int) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        digest = put(a, tmp_path, content(size), naming)

        path = await b.network.fetch_blob(digest, naming=naming, size_max=SIZE_MAX)

        assert path.read_bytes() == content(size)
        assert b.blobs.path_of(digest) == path


async def test_a_node_that_only_dials_out_serves_blobs_along_its_own_connection(
    tmp_path: Path,
) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        digest = put(b, tmp_path, content(3 * MIB), Naming.CHUNKS)

        path = await a.network.fetch_blob(digest, naming=Naming.CHUNKS, size_max=SIZE_MAX)

        assert path.read_bytes() == content(3 * MIB)


async def test_a_blob_that_is_here_is_not_fetched(tmp_path: Path) -> None:
    (ann,) = people(1)
    async with node(ann, tmp_path) as a:
        digest = put(a, tmp_path, content(5), Naming.SHA256)

        path = await a.network.fetch_blob(digest, naming=Naming.SHA256, size_max=SIZE_MAX)

        assert path == a.blobs.path_of(digest)


async def test_a_blob_that_nobody_has_is_unavailable_at_once(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)

        with pytest.raises(BlobUnavailable, match="no connected peer has it"):
            async with asyncio.timeout(30):  # less than it waits for a description
                await b.network.fetch_blob(
                    Digest(bytes(32)), naming=Naming.SHA256, size_max=SIZE_MAX
                )


async def test_a_blob_larger_than_wanted_is_not_fetched(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        digest = put(a, tmp_path, content(11), Naming.SHA256)

        with pytest.raises(BlobUnavailable, match="11 bytes, more than 10"):
            await b.network.fetch_blob(digest, naming=Naming.SHA256, size_max=ByteCount(10))


async def test_two_who_want_the_same_blob_fetch_it_once(tmp_path: Path) -> None:
    ann, bob = people(2)
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address], port=None) as b:
        await connected(a, b)
        data = content(4 * MIB)
        digest = put(a, tmp_path, data, Naming.CHUNKS)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(
                    b.network.fetch_blob(digest, naming=Naming.CHUNKS, size_max=SIZE_MAX)
                )

        assert b.network.peers()[0].bytes_in < 2 * len(data)


async def test_twenty_mebibytes_arrive_though_one_peer_sends_a_bad_chunk_and_one_dies_half_way(
    tmp_path: Path,
) -> None:
    ann, bob, eve, ida = people(4)
    data = content(20 * MIB)
    false = bytes(len(data))
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address]) as b,
        byzantine(eve, b, false, described=data, chunks_max=1000) as liar,
        byzantine(ida, b, data, described=data, chunks_max=5) as mortal,
    ):
        await connected(a, b)
        digest = put(a, tmp_path, data, Naming.CHUNKS)

        path = await b.network.fetch_blob(digest, naming=Naming.CHUNKS, size_max=SIZE_MAX)

        assert path.read_bytes() == data
        assert liar.served
        assert len(mortal.served) == 5
        await until(lambda: eve.key not in b.network.connected)
        assert ida.key in b.network.connected


async def test_a_false_description_is_found_out_at_the_end_and_held_against_its_author(
    tmp_path: Path,
) -> None:
    bob, eve = people(2)
    data = content(3 * MIB)
    false = bytes(len(data))
    async with (
        node(bob, tmp_path) as b,
        byzantine(eve, b, false, described=false, chunks_max=1000),
    ):
        digest = sha256(data)

        with pytest.raises(BlobUnavailable):
            await b.network.fetch_blob(digest, naming=Naming.SHA256, size_max=SIZE_MAX)

        await until(lambda: b.network.connected == ())


async def test_a_false_description_does_not_keep_a_blob_from_arriving(tmp_path: Path) -> None:
    ann, bob, eve = people(3)
    data = content(3 * MIB)
    false = bytes(len(data))
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address]) as b,
        byzantine(eve, b, false, described=false, chunks_max=1000),
    ):
        await connected(a, b)
        digest = put(a, tmp_path, data, Naming.SHA256)

        path = await b.network.fetch_blob(digest, naming=Naming.SHA256, size_max=SIZE_MAX)

        assert path.read_bytes() == data


async def test_a_false_description_of_a_model_is_refused_before_anything_is_fetched(
    tmp_path: Path,
) -> None:
    bob, eve = people(2)
    data = content(3 * MIB)
    false = bytes(len(data))
    async with (
        node(bob, tmp_path) as b,
        byzantine(eve, b, false, described=false, chunks_max=1000) as liar,
    ):
        digest = Digest(chunk_root([chunk_digest(chunk) for chunk in chunks_of(data)]))

        with pytest.raises(BlobUnavailable):
            await b.network.fetch_blob(digest, naming=Naming.CHUNKS, size_max=SIZE_MAX)

        assert liar.served == []


async def test_a_download_goes_on_where_an_earlier_one_ended(tmp_path: Path) -> None:
    ann, bob, ida = people(3)
    data = content(12 * MIB)
    digest = Digest(chunk_root([chunk_digest(chunk) for chunk in chunks_of(data)]))
    here: list[int] = []
    async with node(bob, tmp_path) as b:
        async with byzantine(ida, b, data, described=data, chunks_max=6):
            fetching = asyncio.timeout(None)
            with pytest.raises(TimeoutError):
                async with fetching:
                    await b.network.fetch_blob(
                        digest,
                        naming=Naming.CHUNKS,
                        size_max=SIZE_MAX,
                        progress=lambda done, _size: _stop_at(fetching, done, 6 * MIB),
                    )
        async with node(ann, tmp_path, peers=[b.address], port=None) as a:
            await connected(a, b)
            put(a, tmp_path, data, Naming.CHUNKS)
            path = await b.network.fetch_blob(
                digest,
                naming=Naming.CHUNKS,
                size_max=SIZE_MAX,
                progress=lambda done, _size: here.append(done),
            )

    assert here[0] == 7 * MIB
    assert path.read_bytes() == data


def _stop_at(timeout: asyncio.Timeout, done: int, bytes_wanted: int) -> None:
    if done >= bytes_wanted:
        timeout.reschedule(asyncio.get_running_loop().time())


async def test_a_peer_that_joins_during_a_download_takes_part(tmp_path: Path) -> None:
    ann, bob, ida = people(3)
    data = content(6 * MIB)
    async with (
        node(bob, tmp_path) as b,
        byzantine(ida, b, data, described=data, chunks_max=0),
        asyncio.TaskGroup() as tasks,
    ):
        digest = Digest(chunk_root([chunk_digest(chunk) for chunk in chunks_of(data)]))
        fetching = tasks.create_task(
            b.network.fetch_blob(digest, naming=Naming.CHUNKS, size_max=SIZE_MAX)
        )
        async with node(ann, tmp_path, peers=[b.address], port=None) as a:
            put(a, tmp_path, data, Naming.CHUNKS)
            await connected(a, b)
            await until(fetching.done)

            assert fetching.result().read_bytes() == data


async def test_three_who_fetch_at_once_share_what_one_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "STALL", TIMEOUT)  # what does not come soon is asked of two
    ann, bob, eve, ida = people(4)
    data = content(24 * MIB)
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address]) as b,
        node(eve, tmp_path, peers=[a.address, b.address]) as e,
        node(ida, tmp_path, peers=[a.address, b.address, e.address], port=None) as i,
        asyncio.TaskGroup() as tasks,
    ):
        await until(lambda: all(len(one.network.connected) == 3 for one in (a, b, e, i)))
        digest = put(a, tmp_path, data, Naming.SHA256)

        fetching = [
            tasks.create_task(
                one.network.fetch_blob(digest, naming=Naming.SHA256, size_max=SIZE_MAX)
            )
            for one in (b, e, i)
        ]
        paths = [await one for one in fetching]

        assert all(path.read_bytes() == data for path in paths)
        assert sum(peer.bytes_out for peer in a.network.peers()) <= 2.2 * len(data)
        assert all(not peer.score for one in (a, b, e, i) for peer in one.network.peers())


async def test_a_part_of_a_false_description_is_not_held_against_who_believed_it_too(
    tmp_path: Path,
) -> None:
    ann, bob, eve = people(3)
    data = content(6 * MIB)
    false = bytes(len(data))
    async with (
        node(ann, tmp_path) as a,
        node(bob, tmp_path, peers=[a.address]) as b,
        byzantine(eve, a, false, described=false, chunks_max=1000),
        byzantine(eve, b, false, described=false, chunks_max=1000),
    ):
        await connected(a, b)
        digest = sha256(data)

        async with asyncio.TaskGroup() as tasks:
            for one in (a, b):
                tasks.create_task(unavailable(one, digest, Naming.SHA256))

        assert [peer.peer for peer in a.network.peers() if not peer.score] == [bob.key]
        assert [peer.peer for peer in b.network.peers() if not peer.score] == [ann.key]


async def test_two_who_fetch_what_nobody_has_any_more_give_up(tmp_path: Path) -> None:
    ann, bob, ida = people(3)
    data = content(6 * MIB)
    digest = Digest(chunk_root([chunk_digest(chunk) for chunk in chunks_of(data)]))
    async with node(ann, tmp_path) as a, node(bob, tmp_path, peers=[a.address]) as b:
        await connected(a, b)
        async with (
            asyncio.TaskGroup() as tasks,
            byzantine(ida, a, data, described=data, chunks_max=3) as mortal,
        ):
            for one in (a, b):
                tasks.create_task(unavailable(one, digest, Naming.CHUNKS))
            await until(lambda: len(mortal.served) == 3)


async def test_no_more_is_sent_in_a_second_than_the_owner_gives(tmp_path: Path) -> None:
    ann, bob = people(2)
    data = content(24 * MIB)  # ten seconds' worth goes at once, the rest takes two
    async with (
        node(ann, tmp_path, upload=ByteCount(2 * MIB)) as a,
        node(bob, tmp_path, peers=[a.address], port=None) as b,
    ):
        await connected(a, b)
        digest = put(a, tmp_path, data, Naming.CHUNKS)
        loop = asyncio.get_running_loop()
        start = loop.time()

        await b.network.fetch_blob(digest, naming=Naming.CHUNKS, size_max=SIZE_MAX)

        assert loop.time() - start >= 1.9


async def unavailable(one: Node, digest: Digest, naming: Naming) -> None:
    """Fetch what cannot be had."""
    with pytest.raises(BlobUnavailable):
        await one.network.fetch_blob(digest, naming=naming, size_max=SIZE_MAX)
