"""Which final blocks to ask of whom: spans of heights from several peers at once, to be executed in order.

Every answer that is used ends with a certified block, so that it is checked by itself, whoever sends it. What comes
early waits, within bounds; what a slow peer owes is asked of another one, too. Who has no certificate in the span
answers without one; then it is asked for again with what follows it.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from lc_node.chain.blocks import Block
from lc_node.chain.codec import Decoder
from lc_node.chain.types import Height, PublicKey
from lc_node.consensus.messages import BLOCKS_MAX, Blocks, GetBlocks
from lc_node.consensus.proofs import are_linked
from lc_node.consensus.way import Way

SPANS_AHEAD: Final = 16
"""Answers that wait for an earlier one, or are on their way: at most 8 MiB."""

SILENCES_MAX: Final = 3
"""Questions in a row without an answer after which a peer takes no further part."""

Span: TypeAlias = tuple[Height, Height]
"""Heights from the first up to, not including, the second."""

GET_BLOCKS_DECODER: Final = Decoder(GetBlocks, what="question for blocks", bytes_max=128)
"""A question of ``Topic.BLOCKS``."""

BLOCKS_DECODER: Final = Decoder(Blocks, what="blocks", bytes_max=1024 * 1024 - 64)
"""Its answer."""


@dataclass(slots=True)
class _Source:
    """One peer's part."""

    asked: Span | None = None
    refused: set[Height] = field(default_factory=set)
    """Where spans begin that it does not have."""
    silences: int = 0


class BlockPlan:
    """Decides for the heights from the tip's next one up to a goal."""

    def __init__(
        self, first: Height, goal: Height, way: Way, is_intact: Callable[[Block], bool]
    ) -> None:
        """Plan for the heights from ``first`` up to the goal itself.

        Args:
            first: the height next to the tip.
            goal: a height that is final.
            way: knows the validators of all epochs in between.
            is_intact: whether a block's transactions are those that its header commits to.
        """
        self._goal = goal
        self._way = way
        self._is_intact = is_intact
        self._position = first
        self._next = first
        self._returned: list[Span] = []
        """To be asked again: a heap."""
        self._held: dict[Height, Blocks] = {}
        self._sources: dict[PublicKey, _Source] = {}
        self._gone: set[PublicKey] = set()

    @property
    def is_done(self) -> bool:
        """Whether every block up to the goal was handed out."""
        return self._position > self._goal

    @property
    def is_stuck(self) -> bool:
        """Whether nothing is on its way, and nothing here that could be handed out."""
        is_waiting = any(source.asked is not None for source in self._sources.values())
        return not (is_waiting or self.is_done or self._position in self._held)

    def has_left(self, peer: PublicKey) -> bool:
        """Return whether a peer takes no further part."""
        return peer in self._gone

    def ask(self, peer: PublicKey) -> GetBlocks | None:
        """Return what to ask a peer of whom no question is open; None if it can be of no use now."""
        if peer in self._gone:
            return None
        source = self._sources.setdefault(peer, _Source())
        span = self._again(source) or self._new(source) or self._slow(source)
        source.asked = span
        return None if span is None else GetBlocks(first=span[0], below=span[1])

    def take(self, peer: PublicKey, answer: Blocks) -> bool:
        """Keep the blocks of an answer; False if its sender lies, and is left."""
        source = self._sources.get(peer)
        if source is None or source.asked is None:
            return True
        span, source.asked = source.asked, None
        if self._is_lie(span, answer):
            self._return(span)
            self.leave(peer)
            return False
        source.silences = 0
        if _is_open(span, answer):
            self._ask_for_more(source, span)
        else:
            self._hold(span[0], answer)
            # What nobody was asked for yet is asked for when there is room.
            self._return((Height(span[0] + len(answer.blocks)), min(span[1], self._next)))
        return True

    def lacks(self, peer: PublicKey) -> None:
        """Note that a peer does not have what it was asked for: it may have pruned it."""
        source = self._sources.get(peer)
        if source is not None and source.asked is not None:
            source.refused.add(source.asked[0])
            self._take_back(source)

    def silent(self, peer: PublicKey) -> None:
        """Note that a peer did not answer; if it does so again and again, it is left."""
        source = self._sources.get(peer)
        if source is None:
            return
        self._take_back(source)
        source.silences += 1
        if source.silences >= SILENCES_MAX:
            self.leave(peer)

    def leave(self, peer: PublicKey) -> None:
        """Drop a peer; what it was asked for is asked of others."""
        source = self._sources.pop(peer, None)
        self._gone.add(peer)
        if source is not None:
            self._take_back(source)

    def pop(self) -> Blocks | None:
        """Return the blocks that are next, None if they are not here yet."""
        run = self._held.pop(self._position, None)
        if run is not None:
            self._position = Height(self._position + len(run.blocks))
            for first in [first for first in self._held if first < self._position]:
                self._hold(first, self._held.pop(first))
        return run

    def _again(self, source: _Source) -> Span | None:
        """Take the first span that was returned, unless this peer does not have it."""
        while self._returned:
            span = self._left_of(self._returned[0])
            if span is not None:
                if span[0] in source.refused:
                    return None
                heapq.heappop(self._returned)
                return span
            heapq.heappop(self._returned)
        return None

    def _new(self, source: _Source) -> Span | None:
        """Take the next span that nobody was asked for, if there is room for its answer."""
        self._next = max(self._next, self._position)
        below = min(self._next + BLOCKS_MAX, self._goal + 1)
        ahead = self._next - self._position
        is_wanted = self._next < below and ahead < SPANS_AHEAD * BLOCKS_MAX
        if not is_wanted or len(self._held) >= SPANS_AHEAD or self._next in source.refused:
            return None
        span = (self._next, Height(below))
        self._next = Height(below)
        return span

    def _slow(self, source: _Source) -> Span | None:
        """Choose the first span that others are asked for: it may be what everything waits for."""
        others = (other.asked for other in self._sources.values() if other is not source)
        able = (self._left_of(span) for span in others if span)
        return min((span for span in able if span and span[0] not in source.refused), default=None)

    def _is_lie(self, span: Span, answer: Blocks) -> bool:
        """Return whether an answer is none that an honest peer gives."""
        headers = [block.header for block in answer.blocks]
        is_run = (
            span[0] <= headers[0].height
            and headers[-1].height < span[1]
            and are_linked(headers)
            and all(header.epoch == headers[-1].epoch for header in headers)
            and all(self._is_intact(block) for block in answer.blocks)
        )
        if not is_run or _is_open(span, answer):
            return not is_run
        return not any(self._way.is_final(headers[-1], one) for one in answer.certificate)

    def _ask_for_more(self, source: _Source, span: Span) -> None:
        """Ask for a span again that a peer has, but not with a certificate in it: then that is a little above it.

        Who has caught up itself has one for the last of some blocks only, of at most ``BLOCKS_MAX``.
        """
        longer = (span[0], Height(span[0] + BLOCKS_MAX))
        if span[1] < longer[1]:
            self._return(longer)
        else:
            source.refused.add(span[0])
            self._return(span)

    def _hold(self, first: Height, run: Blocks) -> None:
        """Keep what is still needed of a run: another one may have brought a part of it along."""
        known = max(0, self._position - first)
        at, blocks = Height(first + known), run.blocks[known:]
        if len(blocks) > (len(self._held[at].blocks) if at in self._held else 0):
            self._held[at] = Blocks(blocks=blocks, certificate=run.certificate)

    def _take_back(self, source: _Source) -> None:
        if source.asked is not None:
            self._return(source.asked)
            source.asked = None

    def _return(self, span: Span) -> None:
        if self._left_of(span) is not None and span not in self._returned:
            heapq.heappush(self._returned, span)

    def _left_of(self, span: Span) -> Span | None:
        """Return what is still to be asked for of a span: all from the first height that is not here yet."""
        first = max(span[0], self._position)
        while first < span[1] and first in self._held:
            first = Height(first + len(self._held[first].blocks))
        return (first, span[1]) if first < span[1] and first <= self._goal else None


def _is_open(span: Span, answer: Blocks) -> bool:
    """Return whether an answer has no certificate, or does not begin at the beginning, for want of room."""
    return not answer.certificate or answer.blocks[0].header.height > span[0]
