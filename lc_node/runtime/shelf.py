"""What newcomers take from this node: whole states, put aside now and then, and blocks by the span."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from lc_node.chain.codec import encode
from lc_node.chain.commitment import Commitment
from lc_node.chain.types import Height
from lc_node.consensus import library
from lc_node.consensus.block_plan import GET_BLOCKS_DECODER
from lc_node.ports.clock import Clock
from lc_node.runtime.allowances import Allowances
from lc_node.runtime.answers import Answerer
from lc_node.runtime.ledger import Finalized, Ledger
from lc_node.wire.limits import ANSWERED_BYTES
from lc_node.wire.snapshot import (
    ANSWER_BYTES,
    GET_BUCKETS_DECODER,
    SNAPSHOT_QUESTION_DECODER,
    GetManifest,
    Manifest,
    Offer,
    Offers,
    cut_buckets,
)
from lc_node.wire.topics import Topic

PUT_ASIDE_BLOCKS: Final = 100
"""A state is put aside every so many blocks; who has fetched it executes the blocks since."""

KEPT: Final = 2
"""States that are offered: whoever fetches the older one while a newer comes has time to finish."""


@dataclass(frozen=True, slots=True)
class _Kept:
    offer: Offer
    state: Commitment
    """Shares all buckets that have not changed since with the living state."""


class Shelf:
    """Keeps the states after the newest certified blocks of round heights, and answers for them."""

    def __init__(
        self, ledger: Ledger, clock: Clock, *, put_aside_blocks: int = PUT_ASIDE_BLOCKS
    ) -> None:
        """Put the present state aside, and later ones as blocks become final."""
        self._ledger = ledger
        self._blocks = put_aside_blocks
        self._kept: tuple[_Kept, ...] = ()
        self._allowances = Allowances(ANSWERED_BYTES, clock)
        self.put_aside()
        ledger.hear(self._on_finalized)

    def answerers(self) -> Mapping[Topic, Answerer]:
        """Return what the composition root puts among the answers."""
        return {
            Topic.SNAPSHOTS: self._bounded(self._offers),
            Topic.BUCKETS: self._bounded(self._buckets),
            Topic.BLOCKS: self._bounded(self._spans),
        }

    def put_aside(self) -> None:
        """Offer the state after the newest block, if that is certified."""
        certificate = self._ledger.finalization(self._ledger.height)
        if certificate is not None:
            offer = Offer(header=self._ledger.tip, certificate=certificate)
            kept = _Kept(offer, self._ledger.state.commitment().frozen())
            self._kept = (*self._kept, kept)[-KEPT:]

    def _on_finalized(self, finalized: Finalized) -> None:
        if finalized.block.header.height - self._newest >= self._blocks:
            self.put_aside()

    @property
    def _newest(self) -> Height:
        """The round height at or below that of the newest state that is kept."""
        height = self._kept[-1].offer.header.height if self._kept else 0
        return Height(height - height % self._blocks)

    def _bounded(self, answer: Callable[[bytes], bytes | None]) -> Answerer:
        return self._allowances.bounded(answer, longest=2 * ANSWER_BYTES)

    def _offers(self, question: bytes) -> bytes | None:
        asked = SNAPSHOT_QUESTION_DECODER.decode(question)
        if isinstance(asked, GetManifest):
            return self._manifest(asked)
        return encode(Offers(offers=tuple(kept.offer for kept in self._kept)))

    def _manifest(self, asked: GetManifest) -> bytes | None:
        for kept in self._kept:
            if kept.offer.certificate.subject.block_id == asked.block_id:
                block = self._ledger.finalized_block(kept.offer.header.height)
                if block is not None:
                    return encode(Manifest(block=block, leaves=b"".join(kept.state.leaves())))
        return None

    def _buckets(self, question: bytes) -> bytes | None:
        states = [kept.state for kept in reversed(self._kept)]
        return encode(cut_buckets(GET_BUCKETS_DECODER.decode(question), states))

    def _spans(self, question: bytes) -> bytes | None:
        found = library.finalized_blocks(GET_BLOCKS_DECODER.decode(question), self._ledger)
        return None if found is None else encode(found)
