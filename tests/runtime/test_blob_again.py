"""Chunks that are lost on their way, or come when nobody waits for them any more."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.types import ByteCount, Digest
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root
from lc_node.ports.stores import Naming
from lc_node.runtime import blob_download, blob_file
from lc_node.runtime.blob_exchange import BlobExchange
from lc_node.wire.blobs import TIMEOUT, WINDOW_CHUNKS
from lc_node.wire.messages import Absence, Blob, Chunk, GetBlob, GetChunk, NoBlob
from tests.peer_nodes import PATIENCE_SECONDS, STORE_BYTES, node, people, until
from tests.runtime.test_blob_service import ASKER, Peers
from tests.runtime.test_network_blobs import MIB, SIZE_MAX, byzantine, chunks_of, content

COUNT = WINDOW_CHUNKS + 1
DATA = bytes(CHUNK_BYTES)
DIGESTS = (Digest(chunk_digest(DATA)),) * COUNT
LIST = Blob(
    digest=Digest(chunk_root(DIGESTS)),
    size=ByteCount(COUNT * CHUNK_BYTES),
    chunk_digests=DIGESTS,
)
LAST = Chunk(digest=LIST.digest, index=COUNT - 1, data=memoryview(DATA))
"""A chunk that a peer is not asked for at once."""


@pytest.fixture
def exchange(tmp_path: Path, peers: Peers) -> BlobExchange:
    store = DirectoryBlobStore(tmp_path / "blobs", bytes_max=STORE_BYTES)
    return BlobExchange(store, peers, SystemClock())


@pytest.fixture
def peers() -> Peers:
    """Return one peer; an offence of it is an AssertionError."""
    return Peers()


async def fetch(exchange: BlobExchange) -> Path:
    return await exchange.fetch(
        LIST.digest,
        naming=Naming.CHUNKS,
        size_max=LIST.size,
        sources=None,
        progress=lambda _here, _all: None,
    )


async def answer_to(number: int, peers: Peers) -> Chunk:
    """Return what the peer is asked for by the message of a number, once there is one."""
    await until(lambda: len(peers.told) > number)
    question = peers.told[number]
    assert isinstance(question, GetChunk)
    return Chunk(digest=LIST.digest, index=question.index, data=memoryview(DATA))


@asynccontextmanager
async def fetching(
    exchange: BlobExchange, peers: Peers, *, questions: int = 1, answers: int = 1
) -> AsyncIterator[None]:
    """Fetch until the body ends, which begins when the peer has been asked for its first chunks."""
    peers.told.clear()
    async with asyncio.TaskGroup() as tasks:
        fetched = tasks.create_task(fetch(exchange))
        await until(lambda: len(peers.told) == 1)
        for _ in range(questions - 1):
            exchange.joined(ASKER)
        await until(lambda: len(peers.told) == questions)
        for _ in range(answers):
            exchange.heard(ASKER, LIST)
        await until(lambda: any(isinstance(one, GetChunk) for one in peers.told))
        yield
        fetched.cancel()


async def test_a_chunk_that_nobody_has_asked_for_is_an_offence(
    exchange: BlobExchange, peers: Peers
) -> None:
    async with fetching(exchange, peers):
        with pytest.raises(AssertionError, match="UNSOLICITED"):
            exchange.heard(ASKER, LAST)


async def test_a_chunk_that_an_attempt_before_may_have_asked_for_is_nobodys_fault(
    exchange: BlobExchange, peers: Peers
) -> None:
    async with fetching(exchange, peers):
        pass
    async with fetching(exchange, peers):
        exchange.heard(ASKER, LAST)


async def test_a_peer_that_answers_as_often_as_it_is_asked_is_not_at_fault(
    exchange: BlobExchange, peers: Peers
) -> None:
    async with fetching(exchange, peers, questions=2, answers=2):
        pass


async def test_a_peer_that_answers_an_earlier_attempt_too_is_not_at_fault(
    exchange: BlobExchange, peers: Peers
) -> None:
    async with asyncio.TaskGroup() as tasks:
        earlier = tasks.create_task(fetch(exchange))
        await until(lambda: len(peers.told) == 1)
        earlier.cancel()
        await asyncio.wait([earlier])
        fetched = tasks.create_task(fetch(exchange))
        await until(lambda: len(peers.told) == 2)
        exchange.heard(ASKER, LIST)
        exchange.heard(ASKER, LIST)
        await until(lambda: len(peers.told) > 2)
        fetched.cancel()


async def test_who_takes_a_download_over_blames_nobody_for_what_the_other_had_asked_for(
    exchange: BlobExchange, peers: Peers
) -> None:
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(fetch(exchange))
        second = tasks.create_task(fetch(exchange))
        await until(lambda: len(peers.told) == 1)
        first.cancel()
        await until(lambda: len(peers.told) == 2)
        exchange.heard(ASKER, LIST)
        await until(lambda: len(peers.told) > 2)
        exchange.heard(ASKER, LAST)
        second.cancel()


async def test_two_who_wait_for_the_same_blob_do_not_ask_each_other_for_ever(
    exchange: BlobExchange, peers: Peers
) -> None:
    async with asyncio.TaskGroup() as tasks:
        fetched = tasks.create_task(fetch(exchange))
        await until(lambda: len(peers.told) == 1)
        for _ in range(10):
            exchange.asked(ASKER, GetBlob(digest=LIST.digest))
        fetched.cancel()

    assert peers.told.count(GetBlob(digest=LIST.digest)) == 2


async def test_a_download_that_is_cancelled_ends_when_nothing_writes_its_file_any_more(
    exchange: BlobExchange, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, may_write = threading.Event(), threading.Event()

    def append(*about: Any) -> None:
        writes.set()
        may_write.wait(PATIENCE_SECONDS)
        blob_file.append(*about)

    monkeypatch.setattr(blob_download, "append", append)
    async with asyncio.TaskGroup() as tasks:
        fetched = tasks.create_task(fetch(exchange))
        await until(lambda: len(peers.told) == 1)
        exchange.heard(ASKER, LIST)
        exchange.heard(ASKER, await answer_to(1, peers))
        await until(writes.is_set)
        fetched.cancel()
        for _ in range(10):  # time enough to end
            await asyncio.sleep(0)
        was_over_early = fetched.done()
        may_write.set()

    assert not was_over_early
    assert fetched.cancelled()


async def test_a_description_that_nobody_has_asked_for_is_an_offence(
    exchange: BlobExchange, peers: Peers
) -> None:
    with pytest.raises(ExceptionGroup) as failed:
        async with fetching(exchange, peers, answers=2):
            pass

    assert failed.group_contains(AssertionError, match="UNSOLICITED")


async def test_a_peer_may_leave_with_the_last_chunk(exchange: BlobExchange, peers: Peers) -> None:
    async with asyncio.TaskGroup() as tasks:
        fetched = tasks.create_task(fetch(exchange))
        await until(lambda: len(peers.told) == 1)
        exchange.heard(ASKER, LIST)
        for number in range(1, COUNT + 1):
            exchange.heard(ASKER, await answer_to(number, peers))
        exchange.left(ASKER)

    assert fetched.result().read_bytes() == DATA * COUNT


async def test_what_a_peer_has_asked_before_it_left_is_not_answered_in_its_next_session(
    exchange: BlobExchange, peers: Peers, tmp_path: Path
) -> None:
    (tmp_path / "model").write_bytes(b"model")
    digest, _size = exchange._store.put_file(tmp_path / "model", Naming.CHUNKS)
    exchange.asked(ASKER, GetBlob(digest=digest))
    exchange.asked(ASKER, GetChunk(digest=digest, index=0))
    exchange.left(ASKER)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(exchange.run())
        exchange.asked(ASKER, GetChunk(digest=digest, index=7))
        await until(lambda: len(peers.told) > 0)
        running.cancel()

    assert peers.told == [NoBlob(digest=digest, absence=Absence.NOT_HERE)]


async def test_what_was_lost_with_a_data_connection_is_asked_for_again_at_once(
    tmp_path: Path,
) -> None:
    ann, bob = people(2)
    data = content(3 * MIB)
    root = Digest(chunk_root(tuple(Digest(chunk_digest(one)) for one in chunks_of(data))))
    async with (
        node(ann, tmp_path) as a,
        byzantine(bob, a, data, described=data, chunks_max=3, lost=3),
        # Less than after which a chunk is asked for anew anyway.
        asyncio.timeout(TIMEOUT / 1_000 / 2),
    ):
        path = await a.network.fetch_blob(root, naming=Naming.CHUNKS, size_max=SIZE_MAX)

        assert path.read_bytes() == data
        assert a.network.accounts.offences == {}
