"""What counts as a proof that leads from one epoch's validators to the next ones'."""

import pytest
from msgspec.structs import replace

from lc_node.chain.crypto import sha256
from lc_node.chain.types import ChainId, Epoch, Height, View
from lc_node.chain.votes import Subject, VoteKind
from lc_node.consensus.messages import EpochProof
from lc_node.consensus.proofs import is_proof, next_setting
from lc_node.consensus.setting import Setting
from lc_node.sim.keys import SimSigner
from tests.consensus.epoch_stage import NEWCOMER, EpochStage, Network, members, subject_of
from tests.consensus.stage import MEMBERS


def proved() -> tuple[EpochProof, Setting]:
    """Return a valid proof of epoch 0, and its setting."""
    network = Network()
    setting = network.setting
    network.finish(EpochStage(None))
    proof = network.ledger.epoch_proof(Epoch(0))
    assert proof is not None
    return proof, setting


def certified(header_change: dict[str, object], **change: object) -> EpochProof:
    """Return a proof with another header, for which all validators have voted."""
    proof, _ = proved()
    header = replace(proof.header, **header_change)
    network = Network()
    subject = subject_of(replace(network.block(1), header=header), 1)
    certificate = network.certificate(VoteKind.FINALIZE, 2, subject)
    return replace(proof, header=header, certificate=replace(certificate, **change))


def test_the_finalised_last_header_and_the_set_it_names_are_a_proof() -> None:
    assert is_proof(*proved())


def test_a_header_that_all_have_voted_for_is_a_proof() -> None:
    assert is_proof(certified({}), proved()[1])


@pytest.mark.parametrize(
    "false",
    [
        certified({"chain_id": ChainId(sha256(b"another chain"))}),
        certified({"epoch": Epoch(1)}),
        certified({"height": Height(1)}),
        certified({"next_set_hash": ()}),
        certified({}, kind=VoteKind.NOTARIZE),
        certified({}, epoch=Epoch(1)),
        certified(
            {}, subject=Subject(parent_view=View(1), block_id=Network().setting.root.parent_id)
        ),
    ],
    ids=["chain", "epoch", "height", "no set", "kind", "certificate's epoch", "another block"],
)
def test_anything_else_is_none(false: EpochProof) -> None:
    assert not is_proof(false, proved()[1])


def test_a_proof_is_none_in_another_epoch() -> None:
    proof, setting = proved()

    assert not is_proof(proof, next_setting(proof, setting))


def test_a_proof_leads_to_the_validators_that_it_names() -> None:
    proof, setting = proved()
    after = next_setting(proof, setting)

    assert (after.epoch, after.validators.keys, after.root) == (
        1,
        tuple(sorted(members(Epoch(1)))),
        proof.header,
    )


@pytest.mark.parametrize(("who", "weight"), [(NEWCOMER, 2), (MEMBERS[1], 1)])
def test_a_proof_leads_to_the_weights_that_it_names(who: SimSigner, weight: int) -> None:
    assert next_setting(*proved()).validators.weight((who.public_key,)) == weight
