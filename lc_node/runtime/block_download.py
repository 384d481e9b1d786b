"""Blocks on their way in, from several peers, each span checked when it comes and executed in its turn."""

import asyncio
from collections.abc import Sequence
from typing import Final

from lc_node.chain.blocks import block_id
from lc_node.chain.types import Height, PublicKey
from lc_node.consensus.block_plan import BLOCKS_DECODER, BlockPlan
from lc_node.consensus.delivery import ChainForked, StateDiverged
from lc_node.consensus.messages import Blocks, GetBlocks
from lc_node.consensus.way import Way
from lc_node.runtime.inquirer import FalseAnswer, Inquirer, share_out
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.questions import PeerSilent
from lc_node.wire.topics import Topic

SOURCES_MAX: Final = 8
"""Peers that are asked at a time."""


class BlockDownload:
    """Brings the ledger up to a height that is known to be final."""

    def __init__(self, goal: Height, way: Way, inquirer: Inquirer, ledger: Ledger) -> None:
        """Prepare to fetch what lies between the ledger's tip and the goal."""
        self._goal = goal
        self._inquirer = inquirer
        self._ledger = ledger
        self._plan = BlockPlan(Height(ledger.height + 1), goal, way, ledger.is_intact)
        self._news = asyncio.Event()
        self._is_executing = False

    async def run(self, sources: Sequence[PublicKey]) -> bool:
        """Fetch and execute; return whether the goal was reached. What was executed stays so.

        Raises:
            ChainForked, StateDiverged: the network's chain is not one that this node can follow.
        """
        await share_out(sources[:SOURCES_MAX], self._fetch, lambda: self._is_there)
        return self._is_there

    @property
    def _is_there(self) -> bool:
        return self._ledger.height >= self._goal

    async def _fetch(self, peer: PublicKey) -> None:
        """Ask a peer for one span after the other, until it can be of no more use."""
        while not (self._plan.is_done or self._plan.has_left(peer)):
            question = self._plan.ask(peer)
            if question is not None:
                await self._take(peer, question)
                self._tell()
                await self._execute()
            elif self._plan.is_stuck:
                return
            else:
                await self._news.wait()

    async def _take(self, peer: PublicKey, question: GetBlocks) -> None:
        try:
            answer = await self._inquirer.ask(peer, Topic.BLOCKS, question, BLOCKS_DECODER)
        except PeerSilent:
            self._plan.silent(peer)
        except FalseAnswer:
            self._plan.leave(peer)
        else:
            if answer is None:
                self._plan.lacks(peer)
            elif not self._plan.take(peer, answer):
                self._inquirer.blame(peer)

    async def _execute(self) -> None:
        """Execute whatever is next and here; one worker does so at a time."""
        if self._is_executing:
            return
        self._is_executing = True
        try:
            while (run := self._plan.pop()) is not None:
                await self._deliver(run)
                self._tell()
        finally:
            self._is_executing = False

    async def _deliver(self, run: Blocks) -> None:
        ledger = self._ledger
        if run.blocks[0].header.parent_id != block_id(ledger.tip):
            raise ChainForked(ledger.height)
        for block in run.blocks:
            if not ledger.execute(block):
                raise StateDiverged(ledger.height)
            await asyncio.sleep(0)
        ledger.deliver(run.blocks, run.certificate[0])

    def _tell(self) -> None:
        """Wake those that had nothing to do."""
        self._news.set()
        self._news = asyncio.Event()
