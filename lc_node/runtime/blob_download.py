"""One blob on its way in: who has it, which chunks come from whom, and the file that they make."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from lc_node.chain.crypto import sha256
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import ByteCount, Digest, Millis, MillisSpan, PublicKey
from lc_node.oci.chunks import CHUNK_BYTES, chunk_root
from lc_node.ports.clock import Clock
from lc_node.ports.stores import BlobCorrupt, BlobStore, Naming, PartialBlob
from lc_node.runtime.blob_service import Peers
from lc_node.wire.blobs import PAUSE, Arrival, BlobPlan
from lc_node.wire.messages import Absence, Blob, Chunk, GetBlob, GetChunk, NoBlob
from lc_node.wire.score import Offence

_LOOK_SECONDS: Final = 0.25  # how often timeouts are looked at when nothing comes in
_NEWS_MAX: Final = 1_024  # chunks in it are bounded by the plan: AHEAD_CHUNKS
_DESCRIPTION_MAX: Final = MillisSpan(60_000)
"""A peer may have to read tens of gigabytes before it can describe a blob."""
_ROUNDS_MAX: Final = 8  # each false description costs one

Progress: TypeAlias = Callable[[ByteCount, ByteCount], None]
"""Called with the bytes that are here and the bytes in all."""


class BlobUnavailable(LearningChainError):
    """No peer served a blob; what has come of it is kept for a later attempt."""

    def __init__(self, digest: Digest, why: str) -> None:
        """Say which blob, and what was tried."""
        super().__init__(f"blob {digest.hex()} cannot be fetched: {why}")
        self.digest = digest
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be fetched."""

    digest: Digest
    naming: Naming
    size_max: ByteCount
    sources: tuple[PublicKey, ...] | None
    """Whom to ask; None asks every peer."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A peer has connected."""


@dataclass(frozen=True, slots=True)
class Left:
    """A peer's connection has ended."""


News: TypeAlias = Blob | NoBlob | Chunk | Joined | Left


class _FalseDescription(Exception):
    """The blob's description, which all chunks agreed with, was wrong: start again without it."""


class Download:
    """Feed it news with ``hear``; ``run`` returns when the blob is here."""

    def __init__(
        self, wanted: Wanted, store: BlobStore, peers: Peers, clock: Clock, progress: Progress
    ) -> None:
        """Prepare to fetch."""
        self._wanted = wanted
        self._store = store
        self._peers = peers
        self._clock = clock
        self._progress = progress
        self._news: Final = asyncio.Queue[tuple[PublicKey, News]](_NEWS_MAX)
        self._asked: dict[PublicKey, Millis] = {}
        """Peers that have not said yet whether they have it, and since when."""
        self._again: dict[PublicKey, Millis] = {}
        """When to ask those again that were busy."""
        self._offers: dict[PublicKey, Blob] = {}
        self._followed: Blob | None = None
        self._plan = BlobPlan(())
        self._held: dict[int, bytes] = {}
        self._why = "no connected peer has it"

    def hear(self, peer: PublicKey, news: News) -> None:
        """Take what a peer said, or what became of it."""
        if self._news.full() or (isinstance(news, Chunk) and not self._expects(peer, news.index)):
            return
        self._news.put_nowait((peer, news))

    async def run(self) -> Path:
        """Fetch and return the blob's path.

        Raises:
            BlobUnavailable: nobody who is connected serves it.
            BlobQuotaExceeded, StorageFull: there is no room for it.
        """
        for peer in self._peers.connected:
            self._inquire(peer)
        for _ in range(_ROUNDS_MAX):
            description = await self._described()
            try:
                return await self._fetch(description)
            except _FalseDescription:
                self._accuse(description)
        raise BlobUnavailable(self._wanted.digest, "its descriptions were false")

    async def _described(self) -> Blob:
        """Return the description to follow: the one that most peers give."""
        while not self._offers and self._asked:
            await self._listen()
        if not self._offers:
            raise BlobUnavailable(self._wanted.digest, self._why)
        offers = list(self._offers.values())
        return max(offers, key=offers.count)

    async def _fetch(self, description: Blob) -> Path:
        partial = await asyncio.to_thread(
            self._store.partial, self._wanted.digest, description.size, self._wanted.naming
        )
        is_resumed = partial.offset > 0
        try:
            self._follow(description, partial.offset)
            while not self._plan.is_done:
                self._ask_for_chunks()
                await self._listen()
                await self._write(partial)
            return await asyncio.to_thread(partial.finish)
        except BlobCorrupt:
            if not is_resumed:
                raise _FalseDescription from None
            # What an earlier download left may be to blame, so nobody is accused: once more, afresh.
            return await self._fetch(description)
        finally:
            self._followed = None
            self._plan = BlobPlan(())  # a chunk that is still queued must not enter the next plan
            self._held.clear()
            partial.close()

    def _follow(self, description: Blob, offset: ByteCount) -> None:
        """Plan the download by a description, with all who gave the same one."""
        self._followed = description
        self._plan = BlobPlan(description.chunk_digests, first=offset // CHUNK_BYTES)
        for peer, offer in self._offers.items():
            if offer == description:
                self._plan.join(peer)

    def _ask_for_chunks(self) -> None:
        now = self._clock.now()
        for ask in self._plan.asks(now):
            question = GetChunk(digest=self._wanted.digest, index=ask.index)
            if not self._peers.tell(ask.peer, question):
                self._plan.busy(ask.peer, now)
        if not (self._plan.sources or self._asked):
            raise BlobUnavailable(self._wanted.digest, "every peer that had it has failed")

    async def _write(self, partial: PartialBlob) -> None:
        """Write the chunks that are next in order; of the first, what is not here from earlier."""
        while (chunk := self._held.pop(self._plan.position, None)) is not None:
            known = max(0, partial.offset - self._plan.position * CHUNK_BYTES)
            await asyncio.to_thread(partial.write, chunk[known:] if known else chunk)
            self._plan.written()
            if self._followed is not None:
                self._progress(partial.offset, self._followed.size)

    async def _listen(self) -> None:
        """Wait for news, but not for long, and ask again whoever is due."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                peer, news = await self._news.get()
        except TimeoutError:
            self._remind()
            return
        if isinstance(news, Chunk):
            await self._take_chunk(peer, news)
        elif isinstance(news, Blob):
            self._take_offer(peer, news)
        elif isinstance(news, Joined):
            self._inquire(peer)
        elif isinstance(news, NoBlob) and news.absence is Absence.BUSY:
            self._wait_for(peer)
        else:
            self._give_up(peer)

    def _inquire(self, peer: PublicKey) -> None:
        """Ask a peer whether it has the blob."""
        sources = self._wanted.sources
        if (sources is not None and peer not in sources) or peer in self._offers:
            return
        self._asked.setdefault(peer, self._clock.now())
        if not self._peers.tell(peer, GetBlob(digest=self._wanted.digest)):
            self._wait_for(peer)

    def _wait_for(self, peer: PublicKey) -> None:
        """Leave a busy peer alone for a moment."""
        now = self._clock.now()
        if peer in self._asked:
            self._again[peer] = Millis(now + PAUSE)
        else:
            self._plan.busy(peer, now)

    def _remind(self) -> None:
        now = self._clock.now()
        for peer in [peer for peer, at in self._asked.items() if now - at > _DESCRIPTION_MAX]:
            self._give_up(peer)
        for peer in [peer for peer, at in self._again.items() if at <= now]:
            del self._again[peer]
            self._inquire(peer)

    def _give_up(self, peer: PublicKey) -> None:
        """A peer does not have the blob, or is gone."""
        self._asked.pop(peer, None)
        self._again.pop(peer, None)
        self._offers.pop(peer, None)
        self._plan.leave(peer)

    def _take_offer(self, peer: PublicKey, offer: Blob) -> None:
        if self._asked.pop(peer, None) is None:
            self._peers.offend(peer, Offence.UNSOLICITED)
        elif not _is_plausible(offer, self._wanted.naming):
            self._peers.offend(peer, Offence.FALSE_CHUNK_LIST)
        elif offer.size > self._wanted.size_max:
            self._why = f"it has {offer.size} bytes, more than {self._wanted.size_max}"
        else:
            self._offers[peer] = offer
            if offer == self._followed:
                self._plan.join(peer)

    def _expects(self, peer: PublicKey, index: int) -> bool:
        """Decide whether to queue a chunk: once each, and only what is still missing."""
        if self._followed is None:  # between two descriptions, late chunks are nobody's fault
            return False
        arrival = self._plan.arrived(peer, index)
        if arrival is Arrival.UNSOLICITED:
            self._peers.offend(peer, Offence.UNSOLICITED)
        return arrival is Arrival.NEW

    async def _take_chunk(self, peer: PublicKey, chunk: Chunk) -> None:
        digest = await asyncio.to_thread(sha256, chunk.data)
        arrival = self._plan.judged(peer, chunk.index, digest)
        if arrival is Arrival.BAD:
            self._offers.pop(peer, None)
            self._peers.offend(peer, Offence.BAD_CHUNK)
        elif arrival is Arrival.NEW:
            if self._followed and len(chunk.data) != _chunk_length(self._followed, chunk.index):
                raise _FalseDescription
            self._held[chunk.index] = chunk.data

    def _accuse(self, description: Blob) -> None:
        """Hold a false description against everyone who gave it, and ask them no more."""
        for peer in [peer for peer, offer in self._offers.items() if offer == description]:
            self._give_up(peer)
            self._peers.offend(peer, Offence.FALSE_CHUNK_LIST)


def _is_plausible(offer: Blob, naming: Naming) -> bool:
    """Return whether a description can be true: as many chunks as the size needs, and the root."""
    if len(offer.chunk_digests) != -(-offer.size // CHUNK_BYTES):
        return False
    return naming is not Naming.CHUNKS or chunk_root(offer.chunk_digests) == offer.digest


def _chunk_length(description: Blob, index: int) -> int:
    return min(CHUNK_BYTES, description.size - index * CHUNK_BYTES)
