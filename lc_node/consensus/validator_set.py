"""Who votes in an epoch, with which weight, and who leads which view (docs/CONSENSUS.md, A)."""

from collections.abc import Iterable, Mapping

from lc_node.chain.leaders import Leaders
from lc_node.chain.types import ChainId, Epoch, PublicKey, Weight


class ValidatorSet:
    """An epoch's members, sorted by key, each with a weight above zero; never changes."""

    def __init__(self, members: Mapping[PublicKey, Weight]) -> None:
        """Fix the members and their weights.

        Raises:
            ValueError: there is no member, or one without weight.
        """
        if not members or min(members.values()) < 1:
            raise ValueError(
                "a validator set needs a member, and every member a weight above zero"
            )
        self.keys: tuple[PublicKey, ...] = tuple(sorted(members))
        self._weights = {key: members[key] for key in self.keys}
        self._index = {key: index for index, key in enumerate(self.keys)}
        self.total = Weight(sum(self._weights.values()))
        self.quorum = Weight(2 * self.total // 3 + 1)
        """Any two quorums share an honest signer while less than a third of the weight is not."""
        self.blocking = Weight(self.total - self.quorum + 1)
        """Without this much weight there is no quorum; at least one honest signer is in it."""

    def __contains__(self, key: PublicKey) -> bool:
        return key in self._index

    def __len__(self) -> int:
        return len(self.keys)

    def index(self, key: PublicKey) -> int:
        """Return a member's place in key order."""
        return self._index[key]

    def weight_of(self, key: PublicKey) -> Weight:
        """Return a member's weight."""
        return self._weights[key]

    def weight(self, keys: Iterable[PublicKey]) -> Weight:
        """Return the joint weight of distinct members."""
        return Weight(sum(self._weights[key] for key in keys))

    def leaders(self, chain_id: ChainId, epoch: Epoch) -> Leaders:
        """Return who leads which view of an epoch."""
        return Leaders(chain_id, epoch, self.keys, tuple(self._weights.values()))
