"""Who leads which view: drawn by weight, predictable, beyond anyone's grinding (docs/CONSENSUS.md, A)."""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from lc_node.chain.records import ValidatorSet
from lc_node.chain.types import ChainId, Epoch, PublicKey, View


class Leaders:
    """The leaders of an epoch's views."""

    def __init__(
        self, chain_id: ChainId, epoch: Epoch, keys: Sequence[PublicKey], weights: Sequence[int]
    ) -> None:
        """Prepare to draw among keys, which are sorted, by their weights."""
        self._prefix = chain_id + epoch.to_bytes(8, "big")
        self._keys = keys
        self._reached = tuple(accumulate(weights))

    @classmethod
    def of(cls, chain_id: ChainId, validators: ValidatorSet) -> "Leaders":
        """Return the leaders that a validator set of a state gives."""
        members = validators.members
        keys, weights = [m.key for m in members], [m.weight for m in members]
        return cls(chain_id, validators.epoch, keys, weights)

    def leader(self, view: View) -> PublicKey:
        """Return who proposes in a view."""
        seed = self._prefix + view.to_bytes(8, "big")
        ticket = int.from_bytes(hashlib.sha256(seed).digest(), "big") % self._reached[-1]
        return self._keys[bisect_right(self._reached, ticket)]
