"""Brings proofs of equivocation onto the chain, one at a time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from lc_node.chain.errors import LearningChainError
from lc_node.chain.transactions import Evidence
from lc_node.chain.votes import Vote

_WAITING_MAX: Final = 16
"""One proof burns a bond; who lies so much is caught by the next one, too."""

_log = logging.getLogger(__name__)


class Accusing:
    """A short queue of proofs, and who takes them further."""

    def __init__(self, send: Callable[[Evidence], Awaitable[object]]) -> None:
        """See proofs through with ``send``."""
        self._send = send
        self._waiting: asyncio.Queue[Evidence] = asyncio.Queue(_WAITING_MAX)

    def __len__(self) -> int:
        return self._waiting.qsize()

    def accuse(self, first: Vote, second: Vote) -> None:
        """Take up a proof, if there is room."""
        if not self._waiting.full():
            self._waiting.put_nowait(Evidence(first=first, second=second))

    async def run(self) -> None:
        """Send what was taken up, until cancelled."""
        while True:
            body = await self._waiting.get()
            try:
                await self._send(body)
            except LearningChainError as error:
                _log.info("evidence not taken: %s", error)
