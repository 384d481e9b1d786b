"""Answers what can be proved of the final chain, to whoever asks: light clients, and nodes that sync."""

from collections.abc import Callable, Mapping

from lc_node.chain.codec import encode
from lc_node.chain.proofs import prove_entry
from lc_node.chain.types import Epoch, Height
from lc_node.consensus.inquiries import (
    GET_ENTRY_DECODER,
    GET_EPOCHS_DECODER,
    GET_FINALIZED_DECODER,
    HEADERS_MAX,
    TESTIMONY_BYTES_MAX,
    Finalized,
    ProvenEntry,
)
from lc_node.consensus.messages import PROOFS_MAX, EpochProof, EpochProofs
from lc_node.ports.clock import Clock
from lc_node.runtime.allowances import Allowances
from lc_node.runtime.answers import Answerer
from lc_node.runtime.ledger import Ledger
from lc_node.wire.limits import TESTIMONY_BYTES
from lc_node.wire.topics import Topic


class Witness:
    """Tells peers what the final chain says, a bounded number of bytes to each."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        """Speak of this ledger."""
        self._ledger = ledger
        self._allowances = Allowances(TESTIMONY_BYTES, clock)

    def answerers(self) -> Mapping[Topic, Answerer]:
        """Return what the composition root puts among the answers."""
        return {
            Topic.EPOCHS: self._bounded(self._epochs),
            Topic.FINALIZED: self._bounded(self._finalized),
            Topic.STATE: self._bounded(self._entry),
        }

    def _bounded(self, answer: Callable[[bytes], bytes | None]) -> Answerer:
        return self._allowances.bounded(answer, longest=TESTIMONY_BYTES_MAX)

    def _epochs(self, question: bytes) -> bytes | None:
        first = GET_EPOCHS_DECODER.decode(question).first
        proofs: list[EpochProof] = []
        for epoch in range(first, min(self._ledger.state.meta.epoch, first + PROOFS_MAX)):
            proof = self._ledger.epoch_proof(Epoch(epoch))
            if proof is None:
                break
            proofs.append(proof)
        return encode(EpochProofs(proofs=tuple(proofs))) if proofs else None

    def _finalized(self, question: bytes) -> bytes | None:
        wanted = GET_FINALIZED_DECODER.decode(question).height
        first = wanted[0] if wanted else self._ledger.height
        headers = []
        for height in range(first, min(self._ledger.height + 1, first + HEADERS_MAX)):
            header = self._ledger.finalized_header(Height(height))
            if header is None:
                break
            headers.append(header)
            certificate = self._ledger.finalization(Height(height))
            if certificate is not None:
                return encode(Finalized(headers=tuple(headers), certificate=certificate))
        return None

    def _entry(self, question: bytes) -> bytes | None:
        key = GET_ENTRY_DECODER.decode(question).key
        certificate = self._ledger.finalization(self._ledger.height)
        if certificate is None:
            return None
        proof = prove_entry(self._ledger.state.commitment(), key)
        return encode(ProvenEntry(header=self._ledger.tip, certificate=certificate, proof=proof))
