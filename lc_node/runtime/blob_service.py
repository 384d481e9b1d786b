"""Serves blobs to peers: what a blob consists of, and its chunks."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from lc_node.adapters.inbox import Inbox
from lc_node.chain.types import ByteCount, Digest, PublicKey
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest
from lc_node.ports.stores import BlobStore
from lc_node.runtime.blob_allowance import Allowance
from lc_node.wire.buffers import BufferPool
from lc_node.wire.limits import CHUNK_HEADER_BYTES, CHUNKS_MAX, QUESTIONS
from lc_node.wire.messages import (
    Absence,
    Blob,
    Chunk,
    Frame,
    GetBlob,
    GetChunk,
    Message,
    NoBlob,
    chunk_header,
)
from lc_node.wire.score import Offence

_log = logging.getLogger(__name__)

_READERS: Final = 2  # one reads while the other's chunks go out
_FRAMES_AT_ONCE: Final = 4
"""Chunks that are read in one turn of a thread; so many a reader are in memory."""
_LISTS_MAX: Final = 64
_BUFFERS_MAX: Final = 32
_IDLE_SECONDS: Final = 5.0


class Peers(Protocol):
    """The part of the network that blobs need."""

    @property
    def me(self) -> PublicKey:
        """Our own key."""
        ...

    @property
    def connected(self) -> tuple[PublicKey, ...]:
        """The peers with a session, sorted by key."""
        ...

    def tell(self, peer: PublicKey, message: Message) -> bool:
        """Send a message; False if it was dropped."""
        ...

    def send_frame(self, peer: PublicKey, frame: Frame) -> bool:
        """Send a frame that is encoded already; False if it was dropped."""
        ...

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        """Count an offence of a peer."""
        ...


class BlobService:
    """Answers GetBlob and GetChunk, peers in turn, a few at a time."""

    def __init__(
        self,
        store: BlobStore,
        peers: Peers,
        piece: Callable[[GetChunk], Path | Chunk | None] = lambda _question: None,
        allowance: Allowance | None = None,
    ) -> None:
        """Serve what is in ``store``, and chunks that ``piece`` has or knows in which file they lie."""
        self._allowance = allowance
        self._store = store
        self._peers = peers
        self._piece = piece
        self._questions: Final = Inbox[GetBlob](QUESTIONS)
        self._chunks: Final = Inbox[GetChunk](QUESTIONS)
        self._buffers: Final = BufferPool(CHUNK_HEADER_BYTES + CHUNK_BYTES, kept_max=_BUFFERS_MAX)
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

    def forget(self, peer: PublicKey) -> None:
        """Drop what a peer has asked: it is not there any more."""
        self._questions.forget(peer)
        self._chunks.forget(peer)

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
            answer = await self._list(question.digest, path) if path else Absence.NOT_HERE
            if isinstance(answer, Absence):
                self._decline(peer, question.digest, answer)
            else:
                self._peers.tell(peer, answer)

    async def _upload(self) -> None:
        while True:
            await self._answer(await self._asked())

    async def _answer(self, first: tuple[PublicKey, GetChunk]) -> None:
        """Answer a question, and some that wait behind it."""
        asked = [first]
        while len(asked) < _FRAMES_AT_ONCE and (another := self._chunks.next()) is not None:
            asked.append(another)
        frames = await self._frames([question for _peer, question in asked])
        for (peer, question), frame in zip(asked, frames, strict=True):
            await self._send(peer, question, frame)

    async def _asked(self) -> tuple[PublicKey, GetChunk]:
        """Return the next question; when none comes for a while, let go of the memory for answers."""
        if self._buffers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE_SECONDS):
                    return await self._chunks.take()
            self._buffers.clear()
        return await self._chunks.take()

    async def _send(self, peer: PublicKey, question: GetChunk, frame: Frame | Absence) -> None:
        if isinstance(frame, Absence):
            self._decline(peer, question.digest, frame)
            return
        if self._allowance is not None:
            await self._allowance.spend(ByteCount(len(frame)))
        if not self._peers.send_frame(peer, frame):
            self._decline(peer, question.digest, Absence.BUSY)

    async def _frames(self, questions: Sequence[GetChunk]) -> Sequence[Frame | Absence]:
        places = [self._place(question) for question in questions]
        frames = [self._buffers.take() for _ in places]
        return await asyncio.to_thread(
            lambda: [self._frame(*one) for one in zip(places, questions, frames, strict=True)]
        )

    def _place(self, question: GetChunk) -> Path | Chunk | None:
        return self._store.path_of(question.digest) or self._piece(question)

    def _frame(
        self, place: Path | Chunk | None, question: GetChunk, into: memoryview
    ) -> Frame | Absence:
        """Return a chunk's frame; in a thread, so that of ours it asks the store alone."""
        if place is None:
            return Absence.NOT_HERE
        if isinstance(place, Chunk):
            return _filled(into, question, place.data)
        frame = _chunk_frame(place, question, into)
        if frame is Absence.NOT_HERE:  # unless the blob was completed meanwhile
            whole = self._store.path_of(question.digest)
            return frame if whole in {None, place} else self._frame(whole, question, into)
        return frame

    async def _list(self, digest: Digest, path: Path) -> Blob | Absence:
        answer: Blob | Absence | None = self._lists.pop(digest, None)
        if answer is None:
            answer = await asyncio.to_thread(_described, digest, path)
        if isinstance(answer, Blob):
            self._lists[digest] = answer  # last in the order: used most recently
            if len(self._lists) > _LISTS_MAX:
                del self._lists[next(iter(self._lists))]
        return answer

    def _decline(self, peer: PublicKey, digest: Digest, absence: Absence) -> None:
        self._peers.tell(peer, NoBlob(digest=digest, absence=absence))


def _described(digest: Digest, path: Path) -> Blob | Absence:
    """Read a blob and return its description; not here if it is gone or too large to be described."""
    digests: list[Digest] = []
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digests.append(Digest(chunk_digest(chunk)))
                size += len(chunk)
    except OSError as error:
        return _absence(error)
    if len(digests) > CHUNKS_MAX:
        return Absence.NOT_HERE
    return Blob(digest=digest, size=ByteCount(size), chunk_digests=tuple(digests))


def _filled(frame: memoryview, question: GetChunk, data: Frame) -> memoryview:
    """Return the frame with a chunk that is in memory."""
    end = CHUNK_HEADER_BYTES + len(data)
    frame[CHUNK_HEADER_BYTES:end] = data
    return _headed(frame[:end], question)


def _headed(frame: memoryview, question: GetChunk) -> memoryview:
    frame[:CHUNK_HEADER_BYTES] = chunk_header(question.digest, question.index)
    return frame


def _chunk_frame(path: Path, question: GetChunk, frame: memoryview) -> memoryview | Absence:
    """Return the frame with a chunk, read straight into its place; not here if there is no such chunk."""
    # No blob has it, and a file system may not even seek that far.
    if question.index >= CHUNKS_MAX:
        return Absence.NOT_HERE
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(question.index * CHUNK_BYTES)
            length = file.readinto(frame[CHUNK_HEADER_BYTES:])
    except OSError as error:
        return _absence(error)
    if not length:
        return Absence.NOT_HERE
    return _headed(frame[: CHUNK_HEADER_BYTES + length], question)


def _absence(error: OSError) -> Absence:
    """Return what a peer is told of a file that cannot be read: a question of theirs must not end the node."""
    if isinstance(error, FileNotFoundError):  # evicted meanwhile
        return Absence.NOT_HERE
    # At a level that is off by default: peers say how often this happens.
    _log.debug("a blob that a peer asked for could not be read: %s", error)
    return Absence.BUSY
