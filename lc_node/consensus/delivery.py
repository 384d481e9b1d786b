"""Handing finalised blocks to the application in height order, over any gap (D.7)."""

from collections.abc import Sequence

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import BlockId, Height, Millis, PublicKey, View
from lc_node.chain.votes import Certificate
from lc_node.consensus.messages import SPAN_MAX, GetBlocks
from lc_node.consensus.outbox import Outbox, Questions
from lc_node.consensus.outputs import Deliver
from lc_node.consensus.setting import Setting
from lc_node.consensus.tree import BlockTree, Lacking


class StateDiverged(LearningChainError):
    """A finalised block does not execute here: this node's software or disk is at fault."""

    def __init__(self, height: Height) -> None:
        """Name the last height at which our state was the network's."""
        super().__init__(f"our state left the network's after height {height}: update and resync")
        self.height = height


class ChainForked(LearningChainError):
    """A finalised block contradicts a delivered one: a third of the weight or more broke the rules."""

    def __init__(self, height: Height) -> None:
        """Name the delivered height that the other chain leaves out."""
        super().__init__(f"two chains are final at height {height}: stop, and ask other operators")
        self.height = height


class Delivery:
    """The finalisation to be reached next, and the way there.

    A node far behind knows the newest finalisation but none of the blocks under it. It asks for the
    blocks next to its tip; they come with an older finalisation, which is the nearer goal.
    """

    def __init__(
        self, setting: Setting, tree: BlockTree, outbox: Outbox, questions: Questions
    ) -> None:
        """Start with nothing to deliver."""
        self._root_id = block_id(setting.root)
        self._tree = tree
        self._outbox = outbox
        self._questions = questions
        self._newest: Certificate | None = None
        self._nearer: Certificate | None = None
        self._informant: PublicKey | None = None

    @property
    def is_behind(self) -> bool:
        """Whether a finalised block waits to be delivered."""
        return self._goal is not None

    def finalized(self, certificate: Certificate, informant: PublicKey | None) -> None:
        """Take a new highest finalisation as the goal; whoever told us may have the blocks."""
        self._newest = certificate
        self._informant = informant

    def approach(self, certificate: Certificate, informant: PublicKey) -> None:
        """Take a valid, older finalisation as the goal if it is nearer."""
        goal = self._goal
        if goal is not None and self._delivered_view < certificate.view < goal.view:
            self._nearer = certificate
            self._informant = informant

    def fill(self, blocks: Sequence[Block]) -> None:
        """Keep those intact blocks, in height order, that the goal's chain was lacking."""
        lacking = self._tree.branch(self._goal.subject.block_id) if self._goal else ()
        wanted: BlockId | None = lacking.block_id if isinstance(lacking, Lacking) else None
        for block in reversed(blocks):
            if block_id(block.header) == wanted and self._tree.add(block, wanted):
                wanted = block.header.parent_id

    def deliver(self, now: Millis) -> bool:
        """Deliver the goal's chain if it is complete, else ask for what is lacking.

        Raises:
            ChainForked, StateDiverged: the network's chain is not one that this node can follow.
        """
        goal = self._goal
        if goal is None:
            return False
        branch = self._tree.branch(goal.subject.block_id)
        if isinstance(branch, Lacking):
            self._ask(branch, now)
            return False
        if self._tree.execute(goal.subject.block_id) is None:
            raise StateDiverged(self._tree.tip.height)
        self._outbox.put(Deliver(blocks=self._tree.advance(branch), certificate=goal))
        self._nearer = None
        return True

    @property
    def _delivered_view(self) -> View:
        return View(0) if self._tree.tip_id == self._root_id else self._tree.tip.view

    @property
    def _goal(self) -> Certificate | None:
        goal = self._nearer or self._newest
        return goal if goal is not None and goal.subject.block_id != self._tree.tip_id else None

    def _ask(self, lacking: Lacking, now: Millis) -> None:
        first = Height(self._tree.tip.height + 1)
        below = Height(first + SPAN_MAX if lacking.height is None else lacking.height + 1)
        if below <= first:
            raise ChainForked(self._tree.tip.height)
        self._questions.ask(GetBlocks(first=first, below=below), self._informant, now)
