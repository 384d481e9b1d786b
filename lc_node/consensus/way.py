"""Validators of epoch after epoch, from those that are trusted (docs/CONSENSUS.md, F.6)."""

from collections.abc import Iterable
from typing import Final

from lc_node.chain.blocks import Header
from lc_node.chain.types import Epoch
from lc_node.chain.votes import Certificate
from lc_node.consensus.messages import EpochProof
from lc_node.consensus.proofs import is_final, is_proof, next_setting
from lc_node.consensus.setting import Setting

EPOCHS_KEPT: Final = 32
"""Epochs whose validators are remembered; a chain may have many more."""


class Way:
    """Where the proofs lead that were shown so far."""

    def __init__(self, trusted: Setting) -> None:
        """Start where nothing needs a proof."""
        self._settings = {trusted.epoch: trusted}
        self.newest = trusted

    def go(self, proofs: Iterable[EpochProof]) -> bool:
        """Follow proofs of the newest epoch and those after it; False if one of them is none."""
        for proof in proofs:
            if not is_proof(proof, self.newest):
                return False
            self._step(proof)
        return True

    def retrace(self, proofs: Iterable[EpochProof]) -> None:
        """Follow proofs that were checked before and kept on this machine."""
        for proof in proofs:
            self._step(proof)

    def setting_of(self, epoch: Epoch) -> Setting | None:
        """Return an epoch's setting, None if the way does not lead there, or did so long ago."""
        return self._settings.get(epoch)

    def is_final(self, header: Header, certificate: Certificate) -> bool:
        """Return whether a header's own epoch has finalised it, as far as is known."""
        setting = self._settings.get(header.epoch)
        return setting is not None and is_final(header, certificate, setting)

    def _step(self, proof: EpochProof) -> None:
        self.newest = next_setting(proof, self.newest)
        self._settings[self.newest.epoch] = self.newest
        self._settings.pop(Epoch(self.newest.epoch - EPOCHS_KEPT), None)
