"""What counts as a proof that leads from one epoch's validators to the next ones'."""

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import Header
from lc_node.chain.crypto import sha256
from lc_node.chain.types import ChainId, Epoch, Height, View
from lc_node.chain.votes import Subject, VoteKind
from lc_node.consensus.messages import EpochProof
from lc_node.consensus.proofs import are_linked, is_proof, next_setting
from lc_node.consensus.setting import Setting
from lc_node.sim.keys import SimSigner
from tests.consensus.epoch_stage import NEWCOMER, EpochStage, Network, members, subject_of
from tests.consensus.stage import MEMBERS, ROOT


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


def chain_of_headers() -> list[Header]:
    """Return three headers that follow each other."""
    network = Network()
    first = network.block(1)
    network.finalize(first, 1)
    return [ROOT, first.header, network.block(2).header]


def test_headers_are_linked_if_each_is_the_parent_of_the_next() -> None:
    assert are_linked(chain_of_headers())


def test_headers_with_one_left_out_are_not_linked() -> None:
    first, _, third = chain_of_headers()

    assert not are_linked([first, third])


def test_headers_of_which_one_was_changed_are_not_linked() -> None:
    first, second, third = chain_of_headers()

    assert not are_linked([first, replace(second, view=View(9)), third])


def test_headers_that_skip_a_height_are_not_linked() -> None:
    first, second, _ = chain_of_headers()

    assert not are_linked([first, replace(second, height=Height(2))])
