"""Which chunk of a blob to ask of whom: several peers at once, slow and false ones left behind."""

from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a peer that is still fetching the blob itself can hand on already."""

    below: int
    """Every chunk before this one."""
    others: frozenset[int] = frozenset()

    def __contains__(self, index: int) -> bool:
        return index < self.below or index in self.others


@dataclass(slots=True)
class _Source:
    """One peer's part in the download."""

    holding: Holding | None
    """None: all of it."""
    asked: dict[int, Millis] = field(default_factory=dict)
    paused_until: Millis = _EPOCH
    timeouts: int = 0
    grown: Millis = _EPOCH
    """When it last had more than before."""

    def has(self, index: int) -> bool:
        """Return whether the peer can hand on a chunk."""
        return self.holding is None or index in self.holding


class BlobPlan:
    """Decides for one download; the shell asks, verifies nothing by itself and writes in order.

    Several who fetch one blob at the same time help each other: each asks those who have all of it for a share of
    the chunks, and gets the rest from the others. Who gets on with nothing has no share; and when nothing comes for
    a while, everything is asked of everybody.
    """

    def __init__(self, me: PublicKey, chunk_digests: Sequence[Digest], *, first: int = 0) -> None:
        """Plan for a blob of these chunks, of which those before ``first`` are here."""
        self._me = me
        self._digests = tuple(chunk_digests)
        self._position = min(first, len(self._digests))
        self._moved = _EPOCH
        """When it was seen that a chunk had come in that was waited for."""
        self._position_before = -1
        self._arriving: set[int] = set()
        self._here: set[int] = set()
        self._sources: dict[PublicKey, _Source] = {}
        self._gone: set[PublicKey] = set()
        self._ever: dict[PublicKey, set[int]] = {}
        """What each was ever asked for, also if it has left since."""

    @property
    def position(self) -> int:
        """The chunk to be written next."""
        return self._position

    @property
    def digests(self) -> Sequence[Digest]:
        """The SHA-256 of each chunk."""
        return self._digests

    @property
    def is_done(self) -> bool:
        """Whether every chunk has been written."""
        return self._position == len(self._digests)

    @property
    def sources(self) -> tuple[PublicKey, ...]:
        """The peers that still take part, sorted by key."""
        return tuple(sorted(self._sources))

    @property
    def has_whole(self) -> bool:
        """Whether somebody takes part who has all of it."""
        return any(source.holding is None for source in self._sources.values())

    @property
    def holding(self) -> Holding:
        """What can be handed on from here."""
        return Holding(below=self._position, others=frozenset(self._here))

    def join(self, peer: PublicKey) -> None:
        """Take up a peer that has the blob."""
        self._gone.discard(peer)
        self._sources.setdefault(peer, _Source(None)).holding = None

    def join_with(self, peer: PublicKey, holding: Holding, now: Millis) -> None:
        """Take up a peer that is still fetching the blob itself, or note what it has of it by now."""
        self._gone.discard(peer)
        source = self._sources.setdefault(peer, _Source(holding, grown=now))
        if source.holding != holding:
            source.holding, source.grown = holding, now

    def leave(self, peer: PublicKey) -> None:
        """Drop a peer; what it was asked for is asked of others."""
        self._sources.pop(peer, None)
        self._gone.add(peer)

    def asks(self, now: Millis) -> tuple[Ask, ...]:
        """Return what to ask now, and count it as asked."""
        self._expire(now)
        if self._position != self._position_before:
            self._position_before, self._moved = self._position, now
        asks: list[Ask] = []
        free = self._free()
        holders = self._holders(free)
        while (ask := self._next(free, holders, now)) is not None:
            free.remove(ask.index)
            asks.append(self._ask(ask.peer, ask.index, now))
        asks.extend(self._second_opinions(now))
        return tuple(asks)

    def arrived(self, peer: PublicKey, index: int) -> Arrival:
        """Note that a chunk came in; if it is NEW, it is to be ``judged``."""
        source = self._sources.get(peer)
        if source is None or index not in self._ever.get(peer, ()):
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
            return Arrival.BAD
        self._here.add(index)
        return Arrival.NEW

    def busy(self, peer: PublicKey, now: Millis) -> None:
        """Note that a peer dropped what it was asked; it is asked again a little later."""
        source = self._sources.get(peer)
        if source is None:
            return
        source.paused_until = Millis(now + PAUSE)
        source.asked.clear()

    def written(self) -> None:
        """Note that the chunk at ``position`` has been written."""
        self._here.discard(self._position)
        self._position += 1

    def _free(self) -> list[int]:
        """Return the chunks that may be asked of somebody, in order: few, for they wait in memory."""
        asked = {index for source in self._sources.values() for index in source.asked}
        end = min(len(self._digests), self._position + AHEAD_CHUNKS)
        return [
            index
            for index in range(self._position, end)
            if index not in asked and not self._is_settled(index)
        ]

    def _holders(self, indexes: Sequence[int]) -> Mapping[int, int]:
        """Return how many of those who have a part can hand each chunk on."""
        parts = [one.holding for one in self._sources.values() if one.holding is not None]
        return {index: sum(index in part for part in parts) for index in indexes}

    def _next(self, free: Sequence[int], holders: Mapping[int, int], now: Millis) -> Ask | None:
        """Return whom to ask next for what: who answers in time, has least else to do, and owes least."""
        company = self._company(now)
        is_stalled = now - self._moved >= STALL
        for peer, source in self._ready(now):
            mine = [index for index in free if source.has(index)]
            if source.holding is None and company and not is_stalled:
                mine = [
                    i for i in mine if not holders[i] and company[i % len(company)] == self._me
                ]
            if mine:
                return Ask(peer=peer, index=mine[0])
        return None

    def _company(self, now: Millis) -> Sequence[PublicKey]:
        """Return those who fetch the blob as we do and get on with it, and ourselves; none if we are alone."""
        others = [
            peer
            for peer, source in self._sources.items()
            if source.holding is not None and now - source.grown < STALL
        ]
        return sorted((*others, self._me)) if others else ()

    def _ready(self, now: Millis) -> list[tuple[PublicKey, _Source]]:
        """Return who can be asked: those first who answer in time, have a part only, and owe least."""
        able = [
            (peer, source)
            for peer, source in self._sources.items()
            if len(source.asked) < WINDOW_CHUNKS and source.paused_until <= now
        ]
        return sorted(
            able,
            key=lambda one: (one[1].timeouts, one[1].holding is None, len(one[1].asked), one[0]),
        )

    def _ask(self, peer: PublicKey, index: int, now: Millis) -> Ask:
        source = self._sources[peer]
        source.asked[index] = now
        self._ever.setdefault(peer, set()).add(index)
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
            and source.has(index)
            and len(source.asked) < WINDOW_CHUNKS
            and source.paused_until <= now
        ]
        return (self._ask(min(others)[1], index, now),) if others else ()

    def _expire(self, now: Millis) -> None:
        for peer, source in sorted(self._sources.items(), key=lambda item: item[0]):
            late = [index for index, at in source.asked.items() if now - at >= TIMEOUT]
            if not late:
                continue
            source.timeouts += 1
            for index in late:
                del source.asked[index]
            if source.timeouts >= TIMEOUTS_MAX:
                self.leave(peer)

    def _is_settled(self, index: int) -> bool:
        return index < self._position or index in self._arriving or index in self._here
