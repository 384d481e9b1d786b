"""Which bucket of a state to ask of whom: several peers at once, liars and sleepers left behind.

The shell asks one question of a peer at a time, and reports what came of it. No byte is kept that was
not checked against the state root.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lc_node.chain.commitment import BUCKETS
from lc_node.chain.types import ByteCount, Digest, PublicKey
from lc_node.merkle import leaf_hash
from lc_node.wire.snapshot import (
    ANSWER_BYTES,
    BUCKET_BYTES_MAX,
    WANTED_MAX,
    Buckets,
    GetBuckets,
    Manifest,
    Piece,
    Wanted,
)

SOURCES_MAX: Final = 8
"""Peers to be asked at a time; each may make us hold one unfinished bucket."""

SILENCES_MAX: Final = 3
"""Questions in a row without an answer after which a peer takes no further part."""


@dataclass(slots=True)
class _Source:
    """One peer's part."""

    asked: tuple[int, ...] = ()
    """The question that is open."""
    begun: int = -1
    """The bucket of which it has sent the beginning."""
    beginning: bytes = b""
    refused: set[int] = field(default_factory=set)
    """What it did not have when it was asked for it."""
    silences: int = 0


class SnapshotPlan:
    """Decides for one state, of which a part may be here already."""

    def __init__(self, manifest: Manifest, held: Mapping[int, Digest]) -> None:
        """Plan for the buckets of a manifest, but for those that are held with the right hash."""
        self._leaves = tuple(manifest.leaf(index) for index in range(BUCKETS))
        self._missing = {i: None for i in range(BUCKETS) if held.get(i) != self._leaves[i]}
        """In order."""
        self._sources: dict[PublicKey, _Source] = {}
        self._gone: set[PublicKey] = set()

    @property
    def missing(self) -> int:
        """How many buckets are not here yet."""
        return len(self._missing)

    def has_left(self, peer: PublicKey) -> bool:
        """Return whether a peer takes no further part."""
        return peer in self._gone

    def ask(self, peer: PublicKey) -> GetBuckets | None:
        """Return what to ask a peer of whom no question is open; None if it can be of no more use.

        What nobody is asked for comes first, then what others are slow with.
        """
        if peer in self._gone:
            return None
        source = self._sources.setdefault(peer, _Source())
        if source.begun not in self._missing:
            source.begun, source.beginning = -1, b""  # another peer was faster
        continued = (source.begun,) if source.beginning else ()
        others = (index for index in self._choice(source) if index not in continued)
        source.asked = (*continued, *others)[:WANTED_MAX]
        if not source.asked:
            return None
        wanted = tuple(Wanted(index=index, leaf=self._leaves[index]) for index in source.asked)
        return GetBuckets(wanted=wanted, offset=ByteCount(len(source.beginning)))

    def take(self, peer: PublicKey, answer: Buckets) -> Mapping[int, bytes] | None:
        """Return the buckets that an answer has completed; None if its sender lies, and is left."""
        source = self._sources.get(peer)
        if source is None:
            return {}
        found: dict[int, bytes] = {}
        is_true = _is_answer(source.asked, answer)
        for piece in answer.pieces if is_true else ():
            is_true = is_true and self._take_piece(source, piece, found)
        if not is_true:
            self.leave(peer)
            return None
        self._settle(peer, source, [piece.index for piece in answer.pieces])
        return {i: data for i, data in found.items() if self._missing.pop(i, found) is None}

    def silent(self, peer: PublicKey) -> None:
        """Note that a peer did not answer; if it does so again and again, it is left."""
        source = self._sources.get(peer)
        if source is None:
            return
        source.asked = ()
        source.silences += 1
        if source.silences >= SILENCES_MAX:
            self.leave(peer)

    def leave(self, peer: PublicKey) -> None:
        """Drop a peer; what it was asked for is asked of others."""
        self._sources.pop(peer, None)
        self._gone.add(peer)

    def _choice(self, source: _Source) -> list[int]:
        """Return what a peer may be asked for: what nobody is asked for now, or else anything."""
        open_ = {index for other in self._sources.values() for index in other.asked}
        able = [index for index in self._missing if index not in source.refused]
        return [index for index in able if index not in open_] or able

    def _take_piece(self, source: _Source, piece: Piece, found: dict[int, bytes]) -> bool:
        """Keep a piece; return whether it can be a part of the bucket that was asked for."""
        before = source.beginning if piece.index == source.begun else b""
        data = before + piece.data
        source.begun, source.beginning = -1, b""
        if piece.is_end:
            found[piece.index] = data
            return leaf_hash(data) == self._leaves[piece.index]
        source.begun, source.beginning = piece.index, data
        return len(data) <= BUCKET_BYTES_MAX

    def _settle(self, peer: PublicKey, source: _Source, sent: list[int]) -> None:
        """Note what a peer does not have: what it left out before the last bucket that it sent."""
        if not sent:
            source.refused.update(source.asked)
            self.silent(peer)
            return
        before = source.asked[: source.asked.index(sent[-1])]
        source.refused.update(index for index in before if index not in sent)
        source.asked, source.silences = (), 0


def _is_answer(asked: tuple[int, ...], answer: Buckets) -> bool:
    """Return whether pieces are of what was asked, in its order, and cut only if they fill the answer."""
    indices = {piece.index for piece in answer.pieces}
    in_order = [index for index in asked if index in indices]
    if in_order != [piece.index for piece in answer.pieces]:
        return False
    is_full = sum(len(piece.data) for piece in answer.pieces) >= ANSWER_BYTES
    return all(piece.is_end for piece in answer.pieces[:-1]) and (
        is_full or not answer.pieces or answer.pieces[-1].is_end
    )
