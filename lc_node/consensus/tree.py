"""Unfinalised blocks: which are here, which are executed, which are lacking (docs/CONSENSUS.md, D.7)."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lc_node.chain.blocks import Block, Header, block_id
from lc_node.chain.types import BlockId, Height
from lc_node.consensus.application import Application

RECENT_BLOCKS_MAX: Final = 16
"""Delivered blocks kept at hand for who is a moment behind."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """A body that is not here; its height, if a child of it is."""

    block_id: BlockId
    height: Height | None


class BlockTree:
    """Blocks above the last delivered one, by id."""

    def __init__(self, tip: Header, application: Application) -> None:
        """Start at a delivered block whose state the application has."""
        self.tip = tip
        self.tip_id = block_id(tip)
        self._application = application
        self._headers: dict[BlockId, Header] = {self.tip_id: tip}
        """Of executed blocks."""
        self._invalid: set[BlockId] = set()
        self._bodies: dict[BlockId, Block] = {}
        self._recent: OrderedDict[BlockId, Block] = OrderedDict()

    def add(self, block: Block, identity: BlockId) -> bool:
        """Keep a body that someone vouches for; False if it is of no use, or not what its id says."""
        is_kept = block.header.height > self.tip.height and self._application.is_intact(block)
        if is_kept:
            self._bodies[identity] = block
        return is_kept

    def body(self, identity: BlockId) -> Block | None:
        """Return a body, unfinalised or just delivered."""
        if (block := self._bodies.get(identity) or self._recent.get(identity)) is not None:
            return block
        return (
            self._application.finalized_block(self.tip.height) if identity == self.tip_id else None
        )

    def was_executed(self, block: Block, identity: BlockId) -> None:
        """Take note of a block that the application built, and so executed, itself."""
        self._bodies[identity] = block
        self._headers[identity] = block.header

    def execute(self, identity: BlockId) -> Header | Lacking | None:
        """Execute a block after its ancestors; None if one of them breaks a rule."""
        if (header := self._headers.get(identity)) is not None:
            return header
        branch = self.branch(identity)
        if isinstance(branch, Lacking):
            return branch
        return self._headers[identity] if all(map(self._run, branch)) else None

    def branch(self, identity: BlockId) -> tuple[BlockId, ...] | Lacking:
        """Return the blocks from above the tip up to this one; empty if it is the tip."""
        branch: list[BlockId] = []
        height: Height | None = None
        while identity != self.tip_id:
            block = self._bodies.get(identity)
            if block is None:
                return Lacking(identity, height)
            branch.append(identity)
            identity = block.header.parent_id
            height = Height(block.header.height - 1)
        return tuple(reversed(branch))

    def advance(self, branch: Sequence[BlockId]) -> tuple[Block, ...]:
        """Make the last block of an executed branch the tip, and return the branch's blocks."""
        blocks = tuple(self._bodies[identity] for identity in branch)
        self.tip_id = branch[-1]
        self.tip = self._headers[self.tip_id]
        self._recent.update(zip(branch, blocks, strict=True))
        while len(self._recent) > RECENT_BLOCKS_MAX:
            self._recent.popitem(last=False)
        # A body of the tip's view or an earlier one can never be final any more, whatever its height.
        above = {
            i: b
            for i, b in self._bodies.items()
            if b.header.height > self.tip.height and b.header.view > self.tip.view
        }
        self._bodies = above
        self._headers = {i: self._headers[i] for i in above if i in self._headers}
        self._headers[self.tip_id] = self.tip
        self._invalid.intersection_update(above)
        return blocks

    def _run(self, identity: BlockId) -> bool:
        if identity in self._headers:
            return True
        block = self._bodies[identity]
        if identity in self._invalid or not self._application.execute(block):
            self._invalid.add(identity)
            return False
        self._headers[identity] = block.header
        return True
