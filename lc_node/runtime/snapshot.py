"""The state after a final block, as a node takes it over that did not execute the blocks before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lc_node.chain.blocks import Block
from lc_node.chain.codec import encode
from lc_node.chain.errors import LearningChainError
from lc_node.chain.records import ValidatorSet
from lc_node.chain.state import State
from lc_node.chain.types import Epoch, Height
from lc_node.chain.votes import Certificate
from lc_node.consensus.messages import EpochProof


class BrokenSnapshot(LearningChainError):
    """What was fetched is not the state that the block names: this node's memory or disk is at fault."""

    def __init__(self, height: Height) -> None:
        """Name the block."""
        super().__init__(
            f"the snapshot at height {height} is damaged: check memory and disk; "
            "move snapshot.db away, then start the node again"
        )
        self.height = height


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A final block, the state after it, and how the epochs before that state's ended."""

    block: Block
    certificate: Certificate
    state: State
    proofs: Sequence[tuple[Epoch, bytes]]

    @classmethod
    def of(
        cls,
        block: Block,
        certificate: Certificate,
        *,
        entries: Iterable[tuple[bytes, bytes]],
        proofs: Iterable[tuple[Epoch, bytes]],
    ) -> "Snapshot":
        """Return a snapshot of checked parts; slow on a large state.

        Args:
            block: which is final.
            certificate: the block's own.
            entries: the state after it.
            proofs: how the epochs before the block's ended. How the block's own did is told by the block,
                if it is the last one: peers may not have known that yet when they were asked for proofs.

        Raises:
            BrokenSnapshot: the entries do not make up the state that the block names.
        """
        state = State.load(entries)
        if state.root() != block.header.state_root:
            raise BrokenSnapshot(block.header.height)
        known = {**dict(proofs), **_end(block, certificate, state.validators)}
        return cls(
            block=block, certificate=certificate, state=state, proofs=tuple(sorted(known.items()))
        )


def _end(block: Block, certificate: Certificate, after: ValidatorSet) -> dict[Epoch, bytes]:
    """Return how the block's epoch ended, if it did so with this block."""
    header = block.header
    if not header.next_set_hash:
        return {}
    proof = EpochProof(header=header, certificate=certificate, next_set=after)
    return {header.epoch: encode(proof)}
