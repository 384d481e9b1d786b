"""Blobs between peers: answers what they ask, and fetches what we lack from several at once."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lc_node.chain.types import ByteCount, Digest, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.stores import BlobStore, Naming
from lc_node.runtime.blob_allowance import UNLIMITED, Allowance
from lc_node.runtime.blob_download import Download
from lc_node.runtime.blob_news import (
    BlobUnavailable,
    Interrupted,
    Joined,
    Left,
    Progress,
    Wanted,
)
from lc_node.runtime.blob_service import BlobService, Peers
from lc_node.wire.messages import Blob, Chunk, GetBlob, GetChunk, NoBlob, Part
from lc_node.wire.score import Offence

__all__ = ["UNLIMITED", "BlobExchange", "BlobUnavailable", "Progress"]

_FINISHED_MAX: Final = 64


@dataclass(slots=True)
class _Turn:
    """Those who want the same blob: the first fetches it, the others find it in the store."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    was_tried: bool = False
    """Whether a download has ended: what it had asked for may come late."""
    download: Download | None = None


class BlobExchange:
    """Serves and fetches blobs; the network feeds it what peers say."""

    def __init__(
        self, store: BlobStore, peers: Peers, clock: Clock, upload: ByteCount = UNLIMITED
    ) -> None:
        """Exchange what is in ``store``, sending ``upload`` bytes a second."""
        self._store = store
        self._peers = peers
        self._clock = clock
        self._service: Final = BlobService(store, peers, self._piece, Allowance(clock, upload))
        self._turns: dict[Digest, _Turn] = {}
        self._finished: dict[Digest, None] = {}
        """Fetched lately: answers that come late are nobody's fault."""

    @property
    def queued(self) -> int:
        """How many questions of peers wait."""
        return self._service.queued

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._service.run()

    def asked(self, peer: PublicKey, question: GetBlob | GetChunk) -> None:
        """Take a peer's question; what we are fetching ourselves we can share."""
        download = self._download(question.digest)
        is_told = isinstance(question, GetBlob) and download and download.share_with(peer)
        if not is_told:
            self._service.ask(peer, question)

    def heard(self, peer: PublicKey, answer: Blob | Part | NoBlob | Chunk) -> None:
        """Take a peer's answer."""
        turn = self._turns.get(answer.digest)
        if turn is not None and turn.download is not None:
            turn.download.hear(peer, answer)
        elif turn is None and answer.digest not in self._finished:
            self._peers.offend(peer, Offence.UNSOLICITED)

    def joined(self, peer: PublicKey) -> None:
        """A peer has connected: it may have what we are looking for."""
        for download in self._downloads():
            download.hear(peer, Joined())

    def interrupted(self, peer: PublicKey) -> None:
        """What a peer has sent of late may be lost: it is asked for again."""
        for download in self._downloads():
            download.hear(peer, Interrupted())

    def left(self, peer: PublicKey) -> None:
        """A peer's connection has ended: others are asked for what it owed, and what it asked is forgotten.

        Were it answered in its next session, it might have started anew, and not know that it has asked.
        """
        self._service.forget(peer)
        for download in self._downloads():
            download.hear(peer, Left())

    async def fetch(
        self,
        digest: Digest,
        *,
        naming: Naming,
        size_max: ByteCount,
        sources: Sequence[PublicKey] | None,
        progress: Progress,
    ) -> Path:
        """Return the path of a blob, fetched from peers unless it is here; cancelled, end when nothing writes it.

        Raises:
            BlobUnavailable: nobody who is connected serves it.
            BlobQuotaExceeded, StorageFull: there is no room for it.
        """
        wanted = Wanted(
            digest=digest,
            naming=naming,
            size_max=size_max,
            sources=None if sources is None else tuple(sources),
        )
        with self._turn(digest) as turn:
            async with turn.lock:
                path = self._store.path_of(digest)
                if path is not None:
                    return path
                is_again = turn.was_tried or digest in self._finished
                turn.download = Download(
                    wanted, self._store, self._peers, self._clock, progress, is_again=is_again
                )
                try:
                    return await turn.download.run()
                finally:
                    turn.download, turn.was_tried = None, True

    @contextmanager
    def _turn(self, digest: Digest) -> Iterator[_Turn]:
        turn = self._turns.setdefault(digest, _Turn())
        turn.waiting += 1
        try:
            yield turn
        finally:
            turn.waiting -= 1
            if not turn.waiting:
                del self._turns[digest]
                self._finished.pop(digest, None)
                self._finished[digest] = None  # the latest last
                if len(self._finished) > _FINISHED_MAX:
                    del self._finished[next(iter(self._finished))]

    def _download(self, digest: Digest) -> Download | None:
        turn = self._turns.get(digest)
        return turn.download if turn else None

    def _piece(self, question: GetChunk) -> Path | Chunk | None:
        """Return a chunk of a blob that is not complete here."""
        download = self._download(question.digest)
        return download.piece(question.index) if download else None

    def _downloads(self) -> tuple[Download, ...]:
        return tuple(turn.download for turn in self._turns.values() if turn.download)
