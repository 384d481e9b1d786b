"""Deletes blocks that nobody here needs any more; how epochs ended is kept for ever."""

from typing import Final

from lc_node.chain.types import Epoch, Height
from lc_node.ports.stores import ChainStore
from lc_node.runtime.ledger import Finalized, Ledger

PRUNE_BLOCKS: Final = 64
"""Pruning happens every so many blocks: each time costs a transaction."""


class Pruning:
    """Keeps the newest blocks, and receipts for as long as the protocol wants them."""

    def __init__(self, ledger: Ledger, store: ChainStore, *, blocks_kept: int) -> None:
        """Prune as blocks become final; 0 keeps all of them."""
        self._ledger = ledger
        self._store = store
        self._blocks_kept = blocks_kept
        if blocks_kept:
            ledger.hear(self._on_finalized)

    def _on_finalized(self, finalized: Finalized) -> None:
        height = finalized.block.header.height
        if height % PRUNE_BLOCKS == 0:
            below = Height(max(0, height - self._blocks_kept + 1))
            self._store.prune(blocks_below=below, receipts_below=self._receipts_below())

    def _receipts_below(self) -> Height:
        """Return below which height all receipts are older than is wanted, by whole epochs."""
        ledger = self._ledger
        wanted_from = ledger.tip.time - ledger.params.history_kept_ms
        for epoch in range(ledger.state.meta.epoch - 1, -1, -1):
            proof = ledger.epoch_proof(Epoch(epoch))
            if proof is not None and proof.header.time < wanted_from:
                return proof.header.height
        return Height(0)
