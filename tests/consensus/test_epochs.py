"""From epoch to epoch (docs/CONSENSUS.md, F): one last block, other validators, and nobody left behind."""

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import block_id
from lc_node.chain.types import Epoch, Height, View
from lc_node.chain.votes import VoteKind
from lc_node.consensus.messages import (
    Blocks,
    CertificateMessage,
    EpochProofs,
    GetBlocks,
    GetCertificates,
    GetEpochs,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outputs import Audience, Fault, Misbehaviour, PersistVote, SetTimer
from lc_node.consensus.params import ConsensusParams
from lc_node.sim.disk import Disk
from lc_node.sim.keys import SimSigner
from lc_node.sim.plan import Plan
from tests.consensus.epoch_stage import (
    LEAVER,
    NEWCOMER,
    SIGNERS,
    STAYER,
    EpochStage,
    Network,
    alone,
    converse,
    members,
    subject_of,
)
from tests.consensus.stage import MEMBERS, of, sent, signed

NOTARIZE, NULLIFY, FINALIZE = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
RETRY = ConsensusParams().retry
OTHER = MEMBERS[2]


def bystander(network: Network, *views: int) -> SimSigner:
    """Return a member of epoch 0, and not the leaver, that leads none of these views."""
    leaders = {network.setting.leader(View(view)) for view in views}
    return next(signer for signer in MEMBERS[1:] if signer.public_key not in leaders)


def test_a_node_signs_from_the_epoch_on_of_which_its_record_is_whole() -> None:
    network = Network()
    node = EpochStage(STAYER, signs_from=Epoch(1))
    before = node.node.may_sign
    network.finish(node)

    assert (before, node.node.may_sign) == (False, True)
    assert of(PersistVote, node.outputs) == []


# F.2: the last block.


def notarized_end(network: Network, node: EpochStage) -> Propose:
    """Bring a node to view 3, the epoch's last block being notarised in view 2; return its proposal."""
    first = network.block(1)
    node.tell(network.propose(first, 1))
    me = [signer for signer in (node.me,) if signer is not None]
    node.adopt(network.finalize(first, 1, without=me))
    last = network.block(2)
    proposal = network.propose(last, 2, 1)
    node.tell(proposal)
    node.adopt(network.certificate(NOTARIZE, 2, subject_of(last, 1), without=me))
    return proposal


def test_on_the_last_block_its_leader_proposes_that_very_block() -> None:
    network = Network()
    node = EpochStage(SIGNERS[network.setting.leader(View(3))])
    last = notarized_end(network, node).block
    outputs = node.wait(ConsensusParams().interval)

    proposals = sent(Propose, outputs, Audience.VALIDATORS)
    assert [(p.block, p.vote.view, p.vote.subject.parent_view) for p in proposals] == [
        (last, View(3), View(2))
    ]


def test_a_voter_notarises_the_last_block_again() -> None:
    network = Network()
    node = EpochStage(bystander(network, 1, 2, 3))
    last = notarized_end(network, node).block

    assert ("NOTARIZE", 3) in signed(node.tell(network.propose(last, 3, 2)))


def test_a_voter_notarises_nothing_else_on_the_last_block() -> None:
    network = Network()
    node = EpochStage(bystander(network, 1, 2, 3))
    last = notarized_end(network, node).block
    another = network.block(3, block_id(last.header), last.header.time + 1)

    assert signed(node.tell(network.propose(another, 3, 2))) == [("NULLIFY", 3)]


def test_the_last_block_is_proposed_again_over_a_nullified_view() -> None:
    network = Network()
    node = EpochStage(bystander(network, 1, 2, 4))
    last = notarized_end(network, node).block
    assert node.me is not None
    nullified = network.certificate(NULLIFY, 3, without=[node.me])
    proposal = network.propose(last, 4, 2, [nullified])

    assert ("NOTARIZE", 4) in signed(node.tell(proposal))


def test_a_last_block_proposed_again_may_be_what_becomes_final() -> None:
    network = Network()
    node = EpochStage(bystander(network, 1, 2, 3))
    last = notarized_end(network, node).block
    node.tell(network.propose(last, 3, 2))
    node.adopt(network.finalize(last, 3, 2))

    assert (node.disk.height, node.node.epoch) == (2, 1)


def test_a_dead_leader_after_the_last_block_is_given_up_as_if_there_were_work() -> None:
    network = Network()
    node = EpochStage(bystander(network, 1, 2, 3))
    notarized_end(network, node)
    params = ConsensusParams()

    outputs = node.wait(2 * params.interval + params.patience(View(3), View(1)))
    assert ("NULLIFY", 3) in signed(outputs)


# F.3: the next epoch.


def test_after_the_last_block_the_validators_are_others() -> None:
    node, network = EpochStage(STAYER), Network()
    network.finish(node)

    assert set(node.node.validators.keys) == set(members(Epoch(1)))


def test_views_begin_anew_in_an_epoch() -> None:
    node, network = EpochStage(STAYER), Network()
    network.finish(node)

    assert node.node.view == 1


def test_a_new_epoch_sets_its_own_timer() -> None:
    node, network = EpochStage(None), Network()
    network.finish(node)

    assert of(SetTimer, node.outputs)[-1].at > node.now


def test_nothing_more_is_signed_in_an_epoch_that_is_over() -> None:
    node, network = EpochStage(STAYER), Network()
    old = Network()
    last, _ = network.finish(node)
    late = old.propose(last, 3, 2, [old.certificate(NOTARIZE, 2, subject_of(last, 1))])

    assert signed(node.tell(late)) == []


def test_a_newcomer_votes_in_its_first_epoch() -> None:
    node, network = EpochStage(NEWCOMER), Network()
    network.finish(node)
    view = next(v for v in range(1, 99) if network.setting.leader(View(v)) != NEWCOMER.public_key)
    for skipped in range(1, view):
        node.adopt(network.certificate(NULLIFY, skipped))
    block = network.block(view)

    assert ("NOTARIZE", view) in signed(node.tell(network.propose(block, view)))


def test_who_has_left_the_set_signs_nothing() -> None:
    node, network = EpochStage(LEAVER), Network()
    network.finish(node)
    before = len(of(PersistVote, node.outputs))
    block = network.block(1)
    node.tell(network.propose(block, 1))
    node.wait(60_000)

    assert len(of(PersistVote, node.outputs)) == before


def test_what_others_said_of_the_next_epoch_too_early_is_heard_once_it_begins() -> None:
    ahead = Network()
    ahead.finish(EpochStage(None))
    leader = ahead.setting.leader(View(1))
    me = next(s for s in MEMBERS[1:] if s.public_key != leader)
    node, network = EpochStage(me), Network()
    node.tell(ahead.propose(ahead.block(1), 1), peer=SIGNERS[leader])
    network.finish(node)

    voted = [o.vote.epoch for o in of(PersistVote, node.outputs) if o.vote.kind is NOTARIZE]
    assert voted[-1] == 1


# F.3: who is still in the epoch before.


def late_vote(network: Network) -> VoteMessage:
    return VoteMessage(vote=network.vote(OTHER, NULLIFY, 2))


def test_a_vote_of_a_past_epoch_is_answered_by_the_certificate_that_ended_it() -> None:
    node, network = EpochStage(STAYER), Network()
    _, final = network.finish(node)

    answers = sent(CertificateMessage, node.tell(late_vote(Network()), peer=OTHER))
    assert [answer.certificate for answer in answers] == [final]


def test_a_question_about_a_past_epoch_is_answered_by_the_certificate_that_ended_it() -> None:
    node, network = EpochStage(STAYER), Network()
    _, final = network.finish(node)
    question = GetCertificates(epoch=Epoch(0), first=View(1), last=View(9), finalized=View(0))

    answers = sent(CertificateMessage, node.tell(question, peer=OTHER), OTHER.public_key)
    assert [answer.certificate for answer in answers] == [final]


def test_a_peer_is_answered_about_a_past_epoch_once_in_a_while() -> None:
    node, network = EpochStage(STAYER), Network()
    network.finish(node)
    asked = late_vote(Network())
    counts = [len(sent(CertificateMessage, node.tell(asked, peer=OTHER))) for _ in range(2)]
    node.wait(RETRY)

    assert [*counts, len(sent(CertificateMessage, node.tell(asked, peer=OTHER)))] == [1, 0, 1]


def test_a_certificate_of_a_past_epoch_is_not_answered() -> None:
    node, network = EpochStage(STAYER), Network()
    _, final = network.finish(node)

    assert node.tell(CertificateMessage(certificate=final), peer=OTHER) == []


# F.6: who is behind.


def test_a_message_of_a_later_epoch_is_answered_by_a_question_for_the_way() -> None:
    ahead = Network()
    ahead.finish(EpochStage(None))
    node = EpochStage(STAYER)
    vote = VoteMessage(vote=ahead.vote(OTHER, NULLIFY, 1))

    questions = sent(GetEpochs, node.tell(vote, peer=OTHER), OTHER.public_key)
    assert questions == [GetEpochs(first=Epoch(0))]


def test_the_way_is_asked_for_once_in_a_while() -> None:
    ahead = Network()
    ahead.finish(EpochStage(None))
    node = EpochStage(STAYER)
    vote = VoteMessage(vote=ahead.vote(OTHER, NULLIFY, 1))
    node.tell(vote, peer=OTHER)

    assert sent(GetEpochs, node.tell(vote, peer=STAYER)) == []


def test_the_way_is_shown_from_the_epoch_asked_for() -> None:
    node, network = EpochStage(STAYER), Network()
    last, final = network.finish(node)

    (answer,) = sent(EpochProofs, node.tell(GetEpochs(first=Epoch(0)), peer=OTHER))
    assert [(p.header, p.certificate) for p in answer.proofs] == [(last.header, final)]


def test_who_knows_of_no_later_epoch_shows_no_way() -> None:
    node = EpochStage(STAYER)

    assert node.tell(GetEpochs(first=Epoch(0)), peer=OTHER) == []


def way(asker: EpochStage) -> EpochProofs:
    """Return proofs for which the asker has asked OTHER."""
    ahead, helper = Network(), EpochStage(STAYER)
    ahead.finish(helper)
    asker.tell(VoteMessage(vote=ahead.vote(OTHER, NULLIFY, 1)), peer=OTHER)
    (answer,) = sent(EpochProofs, helper.tell(GetEpochs(first=Epoch(0)), peer=OTHER))
    return answer


def test_who_was_shown_the_way_asks_for_the_blocks_on_it() -> None:
    node = EpochStage(NEWCOMER)
    outputs = node.tell(way(node), peer=OTHER)

    assert [q.first for q in sent(GetBlocks, outputs, OTHER.public_key)] == [1]


def test_a_way_that_was_not_asked_for_is_not_looked_at() -> None:
    node = EpochStage(NEWCOMER)

    assert node.tell(way(EpochStage(STAYER)), peer=OTHER) == []


def test_a_way_to_other_validators_than_the_header_names_is_held_against_its_sender() -> None:
    node = EpochStage(NEWCOMER)
    answer = way(node)
    proof = answer.proofs[0]
    false = replace(proof, next_set=replace(proof.next_set, members=proof.next_set.members[:2]))

    outputs = node.tell(replace(answer, proofs=(false,)), peer=OTHER)
    assert outputs == [Misbehaviour(peer=OTHER.public_key, fault=Fault.BAD_CERTIFICATE)]


def test_a_way_that_no_quorum_signed_is_held_against_its_sender() -> None:
    node = EpochStage(NEWCOMER)
    answer = way(node)
    proof = answer.proofs[0]
    few = replace(proof.certificate, bitmap=b"\x01", signatures=proof.certificate.signatures[:1])

    outputs = node.tell(replace(answer, proofs=(replace(proof, certificate=few),)), peer=OTHER)
    assert outputs == [Misbehaviour(peer=OTHER.public_key, fault=Fault.BAD_CERTIFICATE)]


def long_chain(heights: int) -> EpochStage:
    """Return the only member of a chain of so many blocks, in epochs of three."""
    maker = EpochStage(MEMBERS[0], plan=Plan(3, alone))
    number = 0
    while maker.disk.height < heights:
        number += 1
        maker.work(number)
        maker.wait(1_000)
    return maker


def test_an_only_member_goes_from_epoch_to_epoch_by_itself() -> None:
    assert long_chain(10).node.epoch == 3


def test_who_was_away_for_many_epochs_catches_up() -> None:
    maker = long_chain(20)
    follower = EpochStage(None, plan=Plan(3, alone))
    follower.now = maker.now
    converse(follower, maker, 30)

    assert (follower.disk.height, follower.node.epoch) == (maker.disk.height, maker.node.epoch)


def test_blocks_of_two_epochs_never_come_in_one_answer() -> None:
    maker = long_chain(7)

    (answer,) = sent(
        Blocks, maker.tell(GetBlocks(first=Height(2), below=Height(8)), peer=NEWCOMER)
    )
    assert {block.header.epoch for block in answer.blocks} == {0}


# Restarts.


def test_a_restart_right_after_the_last_block_begins_in_the_next_epoch() -> None:
    node, network = EpochStage(STAYER), Network()
    network.finish(node)

    assert EpochStage(STAYER, disk=node.disk).node.epoch == 1


def test_a_restart_in_the_middle_of_an_epoch_goes_on_in_it() -> None:
    maker = long_chain(5)

    again = EpochStage(MEMBERS[0], disk=maker.disk, plan=Plan(3, alone))
    assert (again.node.epoch, again.node.setting.root.height) == (1, 3)


def test_votes_of_an_epoch_whose_beginning_the_chain_has_lost_are_remembered() -> None:
    node, network = EpochStage(STAYER), Network()
    network.finish(node)
    node.wait(60_000)
    assert [v.vote.kind for v in of(PersistVote, node.outputs) if v.vote.epoch == 1] == [NULLIFY]
    disk = lost_chain(node.disk)
    again = EpochStage(STAYER, disk=disk)
    Network().finish(again)
    again.tell(network.propose(network.block(1), 1))

    assert not [v for v in of(PersistVote, again.outputs) if v.vote.epoch == 1]


def lost_chain(disk: Disk) -> Disk:
    """Return a disk with the same votes, from before the first block."""
    left = Disk()
    left._votes = disk._votes
    return left


@pytest.mark.parametrize("heights", [1, 2, 5])
def test_an_epoch_may_have_any_length(heights: int) -> None:
    maker = EpochStage(MEMBERS[0], plan=Plan(heights, alone))
    for number in range(12):
        maker.work(number)
        maker.wait(1_000)

    assert maker.node.epoch == maker.disk.height // heights
