"""A signed chain, and plans to fetch its blocks."""

from collections.abc import Callable, Mapping

import pytest
from msgspec.structs import replace

from bench.signed_chain import SignedChain
from lc_node.chain.crypto import verify
from lc_node.chain.types import Epoch, Height, PublicKey
from lc_node.consensus.block_plan import BlockPlan
from lc_node.consensus.library import finalized_blocks
from lc_node.consensus.messages import Blocks, EpochProof, GetBlocks
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.consensus.way import Way
from lc_node.runtime.ledger import Ledger

ANN, BOB, EVE = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3))
FIRST, GOAL = Height(1), Height(330)
EPOCH_HEIGHTS = 100


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Return a chain in its fourth epoch."""
    path = tmp_path_factory.mktemp("chain") / "chain.db"
    chain = SignedChain(path, epoch_heights=EPOCH_HEIGHTS, links=512)
    chain.grow(GOAL)
    return chain.ledger


def beginning(ledger: Ledger) -> Way:
    return Way(
        Setting(
            chain_id=ledger.root.chain_id,
            epoch=Epoch(0),
            validators=ValidatorSet({m.key: m.weight for m in ledger.state.validators.members}),
            root=ledger.root,
            verifier=verify,
            epoch_heights=EPOCH_HEIGHTS,
        )
    )


def proofs(ledger: Ledger) -> list[EpochProof]:
    found = (ledger.epoch_proof(Epoch(number)) for number in range(3))
    return [proof for proof in found if proof is not None]


def plan_of(ledger: Ledger, goal: Height = GOAL) -> BlockPlan:
    way = beginning(ledger)
    assert way.go(proofs(ledger))
    return BlockPlan(FIRST, goal, way, ledger.is_intact)


def honest(ledger: Ledger, question: GetBlocks) -> Blocks:
    found = finalized_blocks(question, ledger)
    assert found is not None
    return found


def handed_out(plan: BlockPlan) -> list[int]:
    """Return the heights that are handed out now."""
    heights: list[int] = []
    while (run := plan.pop()) is not None:
        heights += [block.header.height for block in run.blocks]
    return heights


def fetch(plan: BlockPlan, ledger: Ledger, peer: PublicKey = ANN) -> list[int]:
    """Return the heights that an honest peer brings in, in the order in which they are handed out."""
    heights: list[int] = []
    while (question := plan.ask(peer)) is not None:
        assert plan.take(peer, honest(ledger, question))
        heights += handed_out(plan)
    return heights


ALL = list(range(FIRST, GOAL + 1))


def without_certificate(answer: Blocks) -> Blocks:
    return replace(answer, certificate=())


def later(answer: Blocks) -> Blocks:
    return replace(answer, blocks=answer.blocks[1:])


OPEN: Mapping[str, Callable[[Blocks], Blocks]] = {
    "no certificate": without_certificate,
    "the last blocks only": later,
}
"""What an honest peer answers that has no certificate there, or no room: it cannot be used."""
