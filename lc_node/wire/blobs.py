"""Which chunk of a blob to ask of whom: several peers at once, slow and false ones left behind."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from lc_node.chain.types import Digest, Millis, MillisSpan, PublicKey

WINDOW_CHUNKS: Final = 8
"""Chunks asked of one peer at a time."""
AHEAD_CHUNKS: Final = 32
"""Chunks held in memory because an earlier one is still missing."""
TIMEOUT: Final = MillisSpan(30_000)
"""After this long a chunk is asked of somebody else; a peer below 280 kB/s is too slow."""
STALL: Final = MillisSpan(2_000)
"""After this long the chunk that all others wait for is asked of a second peer, too."""
PAUSE: Final = MillisSpan(500)
"""How long a peer that said it was busy is left alone."""
TIMEOUTS_MAX: Final = 2
"""Timeouts in a row after which a peer takes no further part."""


_EPOCH: Final = Millis(0)


class Arrival(Enum):
    """What a chunk that came in is worth."""

    NEW = auto()
    """Keep it."""
    SPARE = auto()
    """Another peer was faster, or its sender was given up."""
    BAD = auto()
    """Not the bytes that were asked for: the peer takes no further part."""
    UNSOLICITED = auto()
    """Never asked of this peer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask ``peer`` for the chunk at ``index``."""

    peer: PublicKey
    index: int


@dataclass(slots=True)
class _Source:
    """One peer's part in the download."""

    asked: dict[int, Millis] = field(default_factory=dict)
    ever: set[int] = field(default_factory=set)
    paused_until: Millis = _EPOCH
    timeouts: int = 0


class BlobPlan:
    """Decides for one download; the shell asks, verifies nothing by itself and writes in order."""

    def __init__(self, chunk_digests: Sequence[Digest], *, first: int = 0) -> None:
        """Plan for a blob of these chunks, of which those before ``first`` are here."""
        self._digests = tuple(chunk_digests)
        self._position = min(first, len(self._digests))
        self._next = self._position
        self._returned: list[int] = []
        """Asked once, and to be asked again: a heap."""
        self._arriving: set[int] = set()
        self._here: set[int] = set()
        self._sources: dict[PublicKey, _Source] = {}
        self._gone: set[PublicKey] = set()

    @property
    def position(self) -> int:
        """The chunk to be written next."""
        return self._position

    @property
    def is_done(self) -> bool:
        """Whether every chunk has been written."""
        return self._position == len(self._digests)

    @property
    def sources(self) -> tuple[PublicKey, ...]:
        """The peers that still take part, sorted by key."""
        return tuple(sorted(self._sources))

    def join(self, peer: PublicKey) -> None:
        """Take up a peer that has the blob."""
        self._gone.discard(peer)
        self._sources.setdefault(peer, _Source())

    def leave(self, peer: PublicKey) -> None:
        """Drop a peer; what it was asked for is asked of others."""
        source = self._sources.pop(peer, None)
        self._gone.add(peer)
        for index in sorted(source.asked) if source else ():
            self._return(index)

    def asks(self, now: Millis) -> tuple[Ask, ...]:
        """Return what to ask now, and count it as asked."""
        self._expire(now)
        asks: list[Ask] = []
        while (peer := self._idlest(now)) is not None:
            index = self._take_index()
            if index is None:
                break
            asks.append(self._ask(peer, index, now))
        asks.extend(self._second_opinions(now))
        return tuple(asks)

    def arrived(self, peer: PublicKey, index: int) -> Arrival:
        """Note that a chunk came in; if it is NEW, it is to be ``judged``."""
        source = self._sources.get(peer)
        if source is None or index not in source.ever:
            return Arrival.SPARE if peer in self._gone else Arrival.UNSOLICITED
        source.asked.pop(index, None)
        source.timeouts = 0
        if self._is_settled(index):
            return Arrival.SPARE
        self._arriving.add(index)
        return Arrival.NEW

    def judged(self, peer: PublicKey, index: int, digest: Digest) -> Arrival:
        """Decide on an arrived chunk by the digest of its bytes."""
        if index not in self._arriving:
            return Arrival.SPARE
        self._arriving.discard(index)
        if digest != self._digests[index]:
            self.leave(peer)
            self._return(index)
            return Arrival.BAD
        self._here.add(index)
        return Arrival.NEW

    def busy(self, peer: PublicKey, now: Millis) -> None:
        """Note that a peer dropped what it was asked; it is asked again a little later."""
        source = self._sources.get(peer)
        if source is None:
            return
        source.paused_until = Millis(now + PAUSE)
        self._take_back(source, sorted(source.asked))

    def written(self) -> None:
        """Note that the chunk at ``position`` has been written."""
        self._here.discard(self._position)
        self._position += 1

    def _idlest(self, now: Millis) -> PublicKey | None:
        """Return whom to ask next: who answers in time, and of those who owes least."""
        ready = [
            (source.timeouts, len(source.asked), peer)
            for peer, source in self._sources.items()
            if len(source.asked) < WINDOW_CHUNKS and source.paused_until <= now
        ]
        return min(ready)[2] if ready else None

    def _take_index(self) -> int | None:
        while self._returned:
            index = heapq.heappop(self._returned)
            if not self._is_settled(index):
                return index
        if self._next < min(len(self._digests), self._position + AHEAD_CHUNKS):
            self._next += 1
            return self._next - 1
        return None

    def _ask(self, peer: PublicKey, index: int, now: Millis) -> Ask:
        source = self._sources[peer]
        source.asked[index] = now
        source.ever.add(index)
        return Ask(peer=peer, index=index)

    def _second_opinions(self, now: Millis) -> tuple[Ask, ...]:
        """Ask the chunk that everything waits for of another peer, if it has waited long."""
        index = self._position
        holders = [one for one in self._sources.values() if index in one.asked]
        if not holders or any(now - one.asked[index] < STALL for one in holders):
            return ()
        others = [
            (len(source.asked), peer)
            for peer, source in self._sources.items()
            if index not in source.asked
            and len(source.asked) < WINDOW_CHUNKS
            and source.paused_until <= now
        ]
        return (self._ask(min(others)[1], index, now),) if others else ()

    def _expire(self, now: Millis) -> None:
        for peer, source in sorted(self._sources.items(), key=lambda item: item[0]):
            late = sorted(index for index, at in source.asked.items() if now - at >= TIMEOUT)
            if not late:
                continue
            source.timeouts += 1
            self._take_back(source, late)
            if source.timeouts >= TIMEOUTS_MAX:
                self.leave(peer)

    def _take_back(self, source: _Source, indexes: Sequence[int]) -> None:
        for index in indexes:
            del source.asked[index]
            self._return(index)

    def _return(self, index: int) -> None:
        is_asked = any(index in source.asked for source in self._sources.values())
        if not is_asked and not self._is_settled(index):
            heapq.heappush(self._returned, index)

    def _is_settled(self, index: int) -> bool:
        return index < self._position or index in self._arriving or index in self._here
