"""One blob on its way in: who has it, which chunks come from whom, and the file that they make."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import Final

from lc_node.chain.types import ByteCount, Digest, Millis, MillisSpan, PublicKey
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest
from lc_node.ports.clock import Clock
from lc_node.ports.stores import BlobCorrupt, BlobStore, PartialBlob
from lc_node.runtime.blob_file import append, begun, done, opened, over
from lc_node.runtime.blob_news import (
    BlobUnavailable,
    Interrupted,
    Joined,
    Left,
    News,
    Progress,
    Wanted,
    Word,
    chunk_length,
    is_plausible,
)
from lc_node.runtime.blob_service import Peers
from lc_node.runtime.blob_sharing import Sharing, holding_of
from lc_node.wire.blobs import PAUSE, Arrival, BlobPlan
from lc_node.wire.messages import Absence, Blob, Chunk, GetBlob, GetChunk, NoBlob, Part
from lc_node.wire.score import Offence

_LOOK_SECONDS: Final = 0.25  # how often timeouts are looked at when nothing comes in
_NEWS_MAX: Final = 1_024  # chunks in it are bounded by the plan: AHEAD_CHUNKS
_DESCRIPTION_MAX: Final = MillisSpan(60_000)
"""A peer may have to read tens of gigabytes before it can describe a blob."""
_PARTS_PATIENCE: Final = MillisSpan(20_000)
"""How long to wait for others who fetch the same blob when nobody is left who has all of it."""
_BACK_APART: Final = MillisSpan(1_000)
"""Two who wait for the same blob must not answer each question with a question at once, for ever."""
_NEVER: Final = Millis(0)
_ROUNDS_MAX: Final = 8  # each false description costs one


class _FalseDescription(Exception):
    """The blob's description, which all chunks agreed with, was wrong: start again without it."""


class Download:
    """Feed it news with ``hear``; ``run`` returns when the blob is here."""

    def __init__(
        self,
        wanted: Wanted,
        store: BlobStore,
        peers: Peers,
        clock: Clock,
        progress: Progress,
        *,
        is_again: bool = False,
    ) -> None:
        """Prepare to fetch; ``is_again`` if that was tried lately, so that late chunks are nobody's fault."""
        self._wanted = wanted
        self._store = store
        self._peers = peers
        self._clock = clock
        self._progress = progress
        self._news: Final = asyncio.Queue[tuple[PublicKey, News]](_NEWS_MAX)
        self._asked: dict[PublicKey, Millis] = {}
        """Peers that have not said yet whether they have it, and since when."""
        self._inquired: set[PublicKey] = set()
        """Peers that were ever asked."""
        self._asked_back: dict[PublicKey, Millis] = {}
        """When each that asked us was asked in return."""
        self._owed: Final = Counter[PublicKey]()
        """How many descriptions each may still give: it may have been asked again before it had answered."""
        self._again: dict[PublicKey, Millis] = {}
        """When to ask those again that were busy."""
        self._offers: dict[PublicKey, Blob] = {}
        self._parts: dict[PublicKey, Part] = {}
        """What those have who fetch it as we do."""
        self._followed: Blob | None = None
        self._plan = self._no_plan()
        self._held: dict[int, Chunk] = {}
        self._path: Path | None = None
        self._sharing: Final = Sharing(wanted.digest, peers)
        self._is_again = is_again
        self._progressed = clock.now()
        self._why = "no connected peer has it"

    def hear(self, peer: PublicKey, news: News) -> None:
        """Take what a peer said, or what became of it."""
        if self._news.full() or (isinstance(news, Chunk) and not self._expects(peer, news.index)):
            return
        self._news.put_nowait((peer, news))

    def share_with(self, peer: PublicKey) -> bool:
        """Tell a peer that asks for the same blob what is here of it, now and later; False if nothing can be."""
        self._sharing.welcome(peer)
        has_told = peer in self._offers or peer in self._parts
        now = self._clock.now()
        if not has_told and now - self._asked_back.get(peer, _NEVER) >= _BACK_APART:
            self._asked_back[peer] = now
            self._inquire(peer)  # it will soon have something for us, too
        if self._followed is None:
            return False
        self._sharing.tell(peer, self._plan.holding)
        return True

    def piece(self, index: int) -> Path | Chunk | None:
        """Return a chunk that can be handed on already, or the file that it lies in."""
        return self._path if index < self._plan.position else self._held.get(index)

    async def run(self) -> Path:
        """Fetch and return the blob's path.

        Raises:
            BlobUnavailable: nobody who is connected serves it.
            BlobQuotaExceeded, StorageFull: there is no room for it.
        """
        for peer in self._peers.connected:
            self._inquire(peer)
        try:
            return await self._try_descriptions()
        except BaseException:
            self._sharing.give_up()
            raise

    async def _try_descriptions(self) -> Path:
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
        partial = await opened(self._store, self._wanted, description.size)
        is_resumed = partial.offset > 0
        try:
            self._follow(description, partial)
            while not self._plan.is_done:
                self._ask_for_chunks()
                self._require_sources()
                await self._keep(partial, await self._listen())
            self._sharing.tell_all(self._plan.holding)
            return await done(partial.finish)
        except BlobCorrupt:
            if not is_resumed:
                raise _FalseDescription from None
            # What an earlier download left may be to blame, so nobody is accused: once more, afresh.
            self._is_again = True
            return await self._fetch(description)
        finally:
            self._followed = self._path = None
            self._is_again = True
            # A chunk that is still queued must not enter the next plan.
            self._plan = self._no_plan()
            self._held.clear()
            partial.close()

    def _no_plan(self) -> BlobPlan:
        return BlobPlan(self._peers.me, ())

    def _follow(self, description: Blob, partial: PartialBlob) -> None:
        """Plan the download by a description, with all who gave the same one, or have a part of it."""
        self._followed, self._path = description, partial.path
        self._plan = BlobPlan(
            self._peers.me, description.chunk_digests, first=partial.offset // CHUNK_BYTES
        )
        self._sharing.follow(description, self._plan.holding)
        self._progressed = self._clock.now()
        for peer, offer in self._offers.items():
            if offer == description:
                self._plan.join(peer)
        for peer, part in self._parts.items():
            self._use(peer, part)

    def _ask_for_chunks(self) -> None:
        now = self._clock.now()
        for ask in self._plan.asks(now):
            question = GetChunk(digest=self._wanted.digest, index=ask.index)
            if not self._peers.tell(ask.peer, question):
                self._plan.busy(ask.peer, now)

    def _require_sources(self) -> None:
        """Give up when nobody is left from whom the rest could come, and all that has come is written."""
        if self._plan.has_whole or self._asked or self._plan.position in self._held:
            return
        # Those who fetch it as we do may know somebody who has it; or wait for us as we wait for them.
        waited = self._clock.now() - self._progressed
        if not self._plan.sources or waited > _PARTS_PATIENCE:
            raise BlobUnavailable(self._wanted.digest, "every peer that had it has failed")

    async def _keep(self, partial: PartialBlob, chunks: Sequence[tuple[PublicKey, Chunk]]) -> None:
        """Check chunks that have come while those that are next in order are written; meanwhile others get them."""
        if chunks:
            self._ask_for_chunks()  # so that peers go on
        position, held = self._plan.position, self._held
        ready = [held[index] for index in takewhile(held.__contains__, count(position))]
        if not ready:
            await self._take_chunks(chunks)
            return
        known = self._plan.digests[position : position + len(ready)]
        writing = begun(lambda: append(partial, ready, known))
        try:
            await self._take_chunks(chunks)
        finally:
            await over(writing)  # the file is closed next if anything is wrong
        writing.result()
        for chunk in ready:
            self._plan.written()
            del held[chunk.index]
            if self._followed is not None:
                end = chunk.index * CHUNK_BYTES + len(chunk.data)
                self._progress(ByteCount(end), self._followed.size)

    async def _listen(self) -> Sequence[tuple[PublicKey, Chunk]]:
        """Take all news, and return the chunks; wait for some, but not for long, unless there is something to write.

        When none comes, ask again whoever is due.
        """
        heard: list[tuple[PublicKey, News]] = []
        if self._plan.position not in self._held:
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    heard.append(await self._news.get())
            except TimeoutError:
                self._remind()
                self._sharing.tell_all(self._plan.holding)
        while not self._news.empty():
            heard.append(self._news.get_nowait())
        chunks: list[tuple[PublicKey, Chunk]] = []
        for peer, news in heard:
            if isinstance(news, Chunk):
                chunks.append((peer, news))
            else:
                self._take(peer, news)
        return chunks

    def _take(self, peer: PublicKey, news: Word) -> None:
        if isinstance(news, Blob):
            self._take_offer(peer, news)
        elif isinstance(news, Part):
            self._take_part(peer, news)
        elif isinstance(news, Joined):
            self._inquire(peer)
        elif isinstance(news, Interrupted):
            self._plan.busy(peer, self._clock.now())
        elif isinstance(news, NoBlob) and news.absence is Absence.BUSY:
            self._wait_for(peer)
        else:
            self._give_up(peer)
            if isinstance(news, Left):
                self._sharing.leave(peer)
                self._inquired.discard(peer)

    def _inquire(self, peer: PublicKey) -> None:
        """Ask a peer whether it has the blob."""
        sources = self._wanted.sources
        if (sources is not None and peer not in sources) or peer in self._offers:
            return
        self._asked.setdefault(peer, self._clock.now())
        self._inquired.add(peer)
        if self._peers.tell(peer, GetBlob(digest=self._wanted.digest)):
            self._owed[peer] += 1
        else:
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
        self._parts.pop(peer, None)
        self._plan.leave(peer)

    def _take_part(self, peer: PublicKey, part: Part) -> None:
        """Hear what a peer has that fetches the blob as we do, though it may have had nothing when it was asked."""
        if peer in self._inquired and peer not in self._offers:
            self._asked.pop(peer, None)
            self._parts[peer] = part
            self._use(peer, part)

    def _use(self, peer: PublicKey, part: Part) -> None:
        """Ask a peer for its part, if it is one of what we fetch."""
        if self._followed is None:
            return
        if self._sharing.is_ours(part):
            self._plan.join_with(peer, holding_of(part), self._clock.now())
        else:
            self._plan.leave(peer)

    def _take_offer(self, peer: PublicKey, offer: Blob) -> None:
        if not self._owed[peer]:
            if not self._is_again:
                self._peers.offend(peer, Offence.UNSOLICITED)
            return
        self._owed[peer] -= 1
        if self._asked.pop(peer, None) is None:
            return  # it has answered already, or was given up
        if not is_plausible(offer, self._wanted.naming):
            self._peers.offend(peer, Offence.FALSE_CHUNK_LIST)
        elif offer.size > self._wanted.size_max:
            self._why = f"it has {offer.size} bytes, more than {self._wanted.size_max}"
        else:
            self._offers[peer] = offer
            self._parts.pop(peer, None)
            if offer == self._followed:
                self._plan.join(peer)

    def _expects(self, peer: PublicKey, index: int) -> bool:
        """Decide whether to queue a chunk: once each, and only what is still missing."""
        if self._followed is None:  # between two descriptions, late chunks are nobody's fault
            return False
        arrival = self._plan.arrived(peer, index)
        if arrival is Arrival.UNSOLICITED and not self._is_again:
            self._peers.offend(peer, Offence.UNSOLICITED)
        return arrival is Arrival.NEW

    async def _take_chunks(self, chunks: Sequence[tuple[PublicKey, Chunk]]) -> None:
        """Check chunks by their digests, computed in one turn of a thread, and keep those that are right."""
        if not chunks:
            return
        digests = await asyncio.to_thread(
            lambda: [chunk_digest(chunk.data) for _peer, chunk in chunks]
        )
        before = len(self._held)
        for (peer, chunk), digest in zip(chunks, digests, strict=True):
            self._judge(peer, chunk, Digest(digest))
        kept = len(self._held) - before
        if kept:
            self._progressed = self._clock.now()
            self._sharing.note(self._plan.holding, kept)

    def _judge(self, peer: PublicKey, chunk: Chunk, digest: Digest) -> None:
        arrival = self._plan.judged(peer, chunk.index, digest)
        if arrival is Arrival.BAD:
            self._offers.pop(peer, None)
            self._peers.offend(peer, Offence.BAD_CHUNK)
        elif arrival is Arrival.NEW:
            if self._followed and len(chunk.data) != chunk_length(self._followed, chunk.index):
                raise _FalseDescription
            self._held[chunk.index] = chunk

    def _accuse(self, description: Blob) -> None:
        """Hold a false description against everyone who gave it, and ask them no more."""
        for peer in [peer for peer, offer in self._offers.items() if offer == description]:
            self._give_up(peer)
            self._peers.offend(peer, Offence.FALSE_CHUNK_LIST)
