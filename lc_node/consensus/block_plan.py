"""Which final blocks to ask of whom: spans of heights from several peers at once, to be executed in order.

Every answer ends with a certified block, so that it is checked by itself, whoever sends it. What comes
early waits, within bounds; what a slow peer owes is asked of another one, too.
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
        if not self._is_answer(span, answer):
            self._return(span)
            self.leave(peer)
            return False
        source.silences = 0
        if not self._is_settled(span[0]):
            self._held[span[0]] = answer
            rest = Height(span[0] + len(answer.blocks))
            if rest < span[1]:
                heapq.heappush(self._returned, (rest, span[1]))
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
        return run

    def _again(self, source: _Source) -> Span | None:
        """Take the first span that was returned, unless this peer does not have it."""
        while self._returned and self._is_settled(self._returned[0][0]):
            heapq.heappop(self._returned)
        if not self._returned or self._returned[0][0] in source.refused:
            return None
        return heapq.heappop(self._returned)

    def _new(self, source: _Source) -> Span | None:
        """Take the next span that nobody was asked for, if there is room for its answer."""
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
        able = (span for span in others if span and not self._is_settled(span[0]))
        return min((span for span in able if span[0] not in source.refused), default=None)

    def _is_answer(self, span: Span, answer: Blocks) -> bool:
        """Return whether an answer is a run of final blocks from the span's beginning."""
        headers = [block.header for block in answer.blocks]
        return (
            headers[0].height == span[0]
            and headers[-1].height < span[1]
            and are_linked(headers)
            and all(header.epoch == headers[-1].epoch for header in headers)
            and all(self._is_intact(block) for block in answer.blocks)
            and any(self._way.is_final(headers[-1], one) for one in answer.certificate)
        )

    def _take_back(self, source: _Source) -> None:
        if source.asked is not None:
            self._return(source.asked)
            source.asked = None

    def _return(self, span: Span) -> None:
        if not self._is_settled(span[0]) and span not in self._returned:
            heapq.heappush(self._returned, span)

    def _is_settled(self, height: Height) -> bool:
        return height < self._position or height in self._held
