"""Serving blobs to peers that ask for what is not there, and when the machine has nothing left to serve with."""

import asyncio
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.chain.types import Digest, PublicKey
from lc_node.ports.stores import Naming
from lc_node.ports.transport import Channel
from lc_node.runtime import blob_service
from lc_node.runtime.blob_service import BlobService
from lc_node.wire import buffers
from lc_node.wire.limits import CHUNKS_MAX
from lc_node.wire.messages import (
    Absence,
    Frame,
    GetBlob,
    GetChunk,
    Message,
    NoBlob,
    decode_message,
    encode_message,
)
from lc_node.wire.score import Offence
from tests.peer_nodes import PATIENCE_SECONDS, STORE_BYTES, node, people, transport, until

ASKER = PublicKey(b"\x01" * 32)
CONTENT = b"model" * 1000


@dataclass
class Peers:
    """Keeps what the asker is told."""

    me: PublicKey = PublicKey(bytes(32))  # noqa: RUF009  # it never changes
    connected: tuple[PublicKey, ...] = (ASKER,)
    told: list[Message] = field(default_factory=list)

    def tell(self, _peer: PublicKey, message: Message) -> bool:
        self.told.append(message)
        return True

    def send_frame(self, peer: PublicKey, frame: Frame) -> bool:
        return self.tell(peer, decode_message(bytes(frame)))

    def offend(self, _peer: PublicKey, offence: Offence) -> None:
        raise AssertionError(offence)


@dataclass
class Stage:
    """A service over a real store that holds one blob."""

    service: BlobService
    peers: Peers
    digest: Digest

    async def answer(self, question: GetBlob | GetChunk) -> Message:
        self.service.ask(ASKER, question)
        await until(lambda: bool(self.peers.told))
        return self.peers.told.pop()


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Stage]:
    """Serve one blob until the body ends."""
    (folder / "model").write_bytes(CONTENT)
    store = DirectoryBlobStore(folder / "blobs", bytes_max=STORE_BYTES)
    digest, _size = store.put_file(folder / "model", Naming.CHUNKS)
    peers = Peers()
    service = BlobService(store, peers)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(service.run())
        try:
            yield Stage(service, peers, digest)
        finally:
            running.cancel()


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    """Let this process open nothing more; what is open stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("index", [1, CHUNKS_MAX - 1, CHUNKS_MAX, 2**32 - 1])
async def test_a_chunk_beyond_the_end_is_not_here(tmp_path: Path, index: int) -> None:
    async with serving(tmp_path) as on:
        answer = await on.answer(GetChunk(digest=on.digest, index=index))

    assert answer == NoBlob(digest=on.digest, absence=Absence.NOT_HERE)


async def test_memory_for_chunks_is_let_go_of_when_nobody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blob_service, "_IDLE_SECONDS", 0.01)
    async with serving(tmp_path) as on:
        on.service.ask(ASKER, GetChunk(digest=on.digest, index=0))
        await until(lambda: len(on.service._buffers) > 0)
        memory = on.service._buffers._kept[0]
        await until(lambda: len(on.service._buffers) == 0)

        await until(lambda: buffers._is_free(memory))


@pytest.mark.parametrize("is_chunk", [False, True], ids=["description", "chunk"])
async def test_a_node_that_can_open_no_more_files_is_busy(
    tmp_path: Path,
    is_chunk: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    async with serving(tmp_path) as on:
        question = GetChunk(digest=on.digest, index=0) if is_chunk else GetBlob(digest=on.digest)
        with no_descriptors_left():
            answer = await on.answer(question)

    assert answer == NoBlob(digest=on.digest, absence=Absence.BUSY)


async def test_a_peer_that_asks_for_the_last_chunk_that_can_be_named_ends_nothing(
    tmp_path: Path,
) -> None:
    ann, eve = people(2)
    (tmp_path / "model").write_bytes(CONTENT)
    async with node(ann, tmp_path) as a, transport(eve, peers=[a.address], port=None) as e:
        digest, _size = a.blobs.put_file(tmp_path / "model", Naming.CHUNKS)
        question = encode_message(GetChunk(digest=digest, index=2**32 - 1))
        await until(lambda: e.send(ann.key, Channel.BULK, question))

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not isinstance(
                answer := decode_message((await e.receive(Channel.BULK)).frame), NoBlob
            ):
                continue

    assert answer.absence is Absence.NOT_HERE
