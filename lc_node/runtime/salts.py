"""Salts that only this node can know, and knows again after a crash."""

from dataclasses import dataclass

from lc_node.chain.crypto import digest
from lc_node.chain.types import ChainId, JobId, ModelRoot, PublicKey, Salt


@dataclass(frozen=True, slots=True)
class Salts:
    """Derives a salt for each thing this node commits to, from a secret seed.

    A salt hides its commitment as long as the seed is secret; deriving it means that a bid can be
    opened even if the node died right after it announced.
    """

    seed: bytes
    chain_id: ChainId

    def of_bid(self, job: JobId, model: ModelRoot) -> Salt:
        """Return the salt of our bid with one model."""
        return Salt(digest("lc/salt/bid/1", self.seed, self.chain_id, job, model))

    def of_verdict(self, job: JobId, candidate: PublicKey) -> Salt:
        """Return the salt of our verdict on one candidate."""
        return Salt(digest("lc/salt/verdict/1", self.seed, self.chain_id, job, candidate))

    def __repr__(self) -> str:
        """Show nothing of the seed."""
        return "Salts(...)"
