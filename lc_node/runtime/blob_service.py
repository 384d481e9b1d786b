"""Serves blobs to peers: what a blob consists of, and its chunks."""

import asyncio
from pathlib import Path
from typing import Final, Protocol

from lc_node.adapters.inbox import Inbox
from lc_node.chain.types import ByteCount, Digest, PublicKey
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest
from lc_node.ports.stores import BlobStore
from lc_node.wire.limits import CHUNK_HEADER_BYTES, CHUNKS_MAX, QUESTIONS
from lc_node.wire.messages import Absence, Blob, GetBlob, GetChunk, Message, NoBlob, chunk_header
from lc_node.wire.score import Offence

_READERS: Final = 2  # one reads while the other's chunk goes out
_LISTS_MAX: Final = 64


class Peers(Protocol):
    """The part of the network that blobs need."""

    @property
    def connected(self) -> tuple[PublicKey, ...]:
        """The peers with a session, sorted by key."""
        ...

    def tell(self, peer: PublicKey, message: Message) -> bool:
        """Send a message; False if it was dropped."""
        ...

    def send_frame(self, peer: PublicKey, frame: bytes | bytearray) -> bool:
        """Send a frame that is encoded already; False if it was dropped."""
        ...

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        """Count an offence of a peer."""
        ...


class BlobService:
    """Answers GetBlob and GetChunk, peers in turn, a few at a time."""

    def __init__(self, store: BlobStore, peers: Peers) -> None:
        """Serve what is in ``store``."""
        self._store = store
        self._peers = peers
        self._questions: Final = Inbox[GetBlob](QUESTIONS)
        self._chunks: Final = Inbox[GetChunk](QUESTIONS)
        self._lists: dict[Digest, Blob] = {}
        """Answers computed lately: chunk digests cost a pass over the blob."""

    @property
    def queued(self) -> int:
        """How many questions wait."""
        return len(self._questions) + len(self._chunks)

    def ask(self, peer: PublicKey, question: GetBlob | GetChunk) -> None:
        """Take a peer's question; it is told at once if there is no room for it."""
        is_taken = (
            self._questions.put(peer, question, CHUNK_HEADER_BYTES)
            if isinstance(question, GetBlob)
            else self._chunks.put(peer, question, CHUNK_HEADER_BYTES)
        )
        if not is_taken:
            self._decline(peer, question.digest, Absence.BUSY)

    async def run(self) -> None:
        """Answer until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._describe())
            for _ in range(_READERS):
                tasks.create_task(self._upload())

    async def _describe(self) -> None:
        while True:
            peer, question = await self._questions.take()
            path = self._store.path_of(question.digest)
            answer = await self._list(question.digest, path) if path else None
            if answer is None:
                self._decline(peer, question.digest, Absence.NOT_HERE)
            else:
                self._peers.tell(peer, answer)

    async def _upload(self) -> None:
        while True:
            peer, question = await self._chunks.take()
            path = self._store.path_of(question.digest)
            frame = await asyncio.to_thread(_chunk_frame, path, question) if path else None
            if frame is None:
                self._decline(peer, question.digest, Absence.NOT_HERE)
            elif not self._peers.send_frame(peer, frame):
                self._decline(peer, question.digest, Absence.BUSY)

    async def _list(self, digest: Digest, path: Path) -> Blob | None:
        known = self._lists.pop(digest, None)
        answer = known or await asyncio.to_thread(_described, digest, path)
        if answer is not None:
            self._lists[digest] = answer  # last in the order: used most recently
            if len(self._lists) > _LISTS_MAX:
                del self._lists[next(iter(self._lists))]
        return answer

    def _decline(self, peer: PublicKey, digest: Digest, absence: Absence) -> None:
        self._peers.tell(peer, NoBlob(digest=digest, absence=absence))


def _described(digest: Digest, path: Path) -> Blob | None:
    """Read a blob and return its description; None if it is gone or too large to be described."""
    digests: list[Digest] = []
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digests.append(Digest(chunk_digest(chunk)))
                size += len(chunk)
    except FileNotFoundError:  # evicted meanwhile
        return None
    if len(digests) > CHUNKS_MAX:
        return None
    return Blob(digest=digest, size=ByteCount(size), chunk_digests=tuple(digests))


def _chunk_frame(path: Path, question: GetChunk) -> bytearray | None:
    """Return the frame with a chunk, read straight into its place; None if there is no such chunk."""
    frame = bytearray(CHUNK_HEADER_BYTES + CHUNK_BYTES)
    frame[:CHUNK_HEADER_BYTES] = chunk_header(question.digest, question.index)
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(question.index * CHUNK_BYTES)
            length = file.readinto(memoryview(frame)[CHUNK_HEADER_BYTES:])
    except FileNotFoundError:  # evicted meanwhile
        return None
    if not length:
        return None
    del frame[CHUNK_HEADER_BYTES + length :]
    return frame
