"""What survives a crash (docs/CONSENSUS.md, E)."""

import pytest

from lc_node.chain.blocks import block_id
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import View
from lc_node.consensus.ballot import Ballot
from lc_node.consensus.messages import CertificateMessage, Propose, VoteMessage
from lc_node.consensus.outputs import Audience, Deliver, EvidenceFound
from tests.consensus.stage import (
    FINALIZE,
    NOTARIZE,
    NULLIFY,
    PARAMS,
    SETTING,
    START,
    Author,
    Stage,
    bystander,
    leader,
    of,
    propose,
    sent,
    signed,
    subject_of,
    vote,
)

ME = bystander(1, 2)
DEADLINE = PARAMS.heartbeat + PARAMS.patience(View(1), View(0))


@pytest.fixture
def author() -> Author:
    return Author()


@pytest.fixture
def stage() -> Stage:
    return Stage(ME).start()


def test_a_restarted_node_returns_to_the_view_in_which_it_signed(stage: Stage) -> None:
    stage.adopt(stage.certificate(NULLIFY, 1))
    stage.wait(DEADLINE)

    assert stage.restart().core.view == 2


def test_a_restarted_node_returns_to_the_view_after_its_last_certificate(stage: Stage) -> None:
    stage.adopt(stage.certificate(NULLIFY, 4))

    assert stage.restart().core.view == 5


def test_a_restarted_node_does_not_notarize_another_block(stage: Stage, author: Author) -> None:
    stage.tell(propose(author.block(1), 0))
    outputs = stage.restart().tell(propose(author.block(1, salt=b"2" * 32), 0))

    assert signed(outputs) == []


def test_a_restarted_node_does_not_finalise_what_it_nullified(
    stage: Stage, author: Author
) -> None:
    stage.wait(DEADLINE)
    again = stage.restart()
    outputs = again.adopt(stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0)))

    assert signed(outputs) == []


def test_a_restarted_node_counts_its_own_votes(stage: Stage, author: Author) -> None:
    block = author.block(1)
    stage.tell(propose(block, 0))
    again = stage.restart()
    again.tell(
        *(
            VoteMessage(vote=vote(other, NOTARIZE, 1, subject_of(block, 0)))
            for other in stage.others[:2]
        )
    )

    assert again.core.view == 2


def test_a_restarted_node_sends_its_votes_again(stage: Stage, author: Author) -> None:
    stage.tell(propose(author.block(1), 0))
    again = stage.restart()

    repeated = sent(VoteMessage, again.outputs, Audience.VALIDATORS)
    assert [message.vote.kind for message in repeated] == [NOTARIZE]


def test_a_restarted_leader_sends_the_same_proposal_again() -> None:
    stage = Stage(leader(1)).start()
    before = sent(Propose, stage.wait(PARAMS.heartbeat))

    assert sent(Propose, stage.restart().outputs) == before


def test_a_leader_whose_block_is_lost_repeats_only_its_vote() -> None:
    stage = Stage(leader(1)).start()
    stage.wait(PARAMS.heartbeat)
    stage.disk.lose_blocks()
    again = stage.restart()

    assert sent(Propose, again.outputs) == []
    assert [message.vote.kind for message in sent(VoteMessage, again.outputs)] == [NOTARIZE]


def test_a_restarted_node_sends_its_last_finalize_again(stage: Stage, author: Author) -> None:
    stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0)))
    again = stage.restart()

    assert [message.vote.kind for message in sent(VoteMessage, again.outputs)] == [FINALIZE]


def test_a_notarization_stored_with_a_finalize_is_held_after_a_restart(
    stage: Stage, author: Author
) -> None:
    notarization = stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0))
    stage.adopt(notarization)
    again = stage.restart()
    again.wait(DEADLINE)
    repeated = sent(CertificateMessage, again.wait(PARAMS.retry))

    assert CertificateMessage(certificate=notarization) in repeated


def test_stored_bodies_are_delivered_after_a_restart(stage: Stage, author: Author) -> None:
    block = author.block(1)
    stage.tell(propose(block, 0))
    again = stage.restart()
    outputs = again.adopt(stage.certificate(FINALIZE, 1, subject_of(block, 0)))

    assert [delivery.blocks for delivery in of(Deliver, outputs)] == [(block,)]


def test_a_finalisation_stored_before_its_blocks_came_is_delivered_later(
    stage: Stage, author: Author
) -> None:
    first = author.block(1)
    second = author.block(2, block_id(first.header), START + 1)
    stage.tell(propose(first, 0))
    stage.adopt(stage.certificate(FINALIZE, 2, subject_of(second, 1)))
    again = stage.restart()

    assert again.core.finalized == 2
    assert of(Deliver, again.outputs) == []


def test_a_node_without_vote_store_starts_from_the_chains_certificate(author: Author) -> None:
    stage = Stage(None).start()
    block = author.block(1)
    stage.tell(propose(block, 0))
    stage.adopt(stage.certificate(FINALIZE, 1, subject_of(block, 0)))
    stage.disk.lose_votes()

    assert stage.restart().core.view == 2


def test_a_node_that_lost_its_votes_signs_nothing(author: Author) -> None:
    stage = Stage(ME).start()
    stage.tell(propose(author.block(1), 0))
    stage.disk.lose_votes()
    again = stage.restart(may_sign=False)

    assert signed(again.tell(propose(author.block(1, salt=b"2" * 32), 0))) == []


def test_replayed_votes_are_no_evidence(stage: Stage, author: Author) -> None:
    stage.tell(propose(author.block(1), 0))
    stage.wait(DEADLINE)

    assert of(EvidenceFound, stage.restart().outputs) == []


def test_votes_of_finalised_views_are_not_taken_back(stage: Stage, author: Author) -> None:
    block = author.block(1)
    stage.tell(propose(block, 0))
    stage.adopt(stage.certificate(FINALIZE, 1, subject_of(block, 0)))
    again = stage.restart()

    assert sent(VoteMessage, again.outputs) == []


def test_a_store_with_foreign_bytes_is_refused() -> None:
    with pytest.raises(MalformedBytes):
        Stage(ME).core.replay([(b"?", b"")], [], [])


def test_a_follower_signs_nothing() -> None:
    ballot = Ballot(SETTING, None, may_sign=True)

    with pytest.raises(ValueError, match="follower"):
        ballot.sign(NULLIFY, View(1))
