"""Giving up, finalising, convicting (docs/CONSENSUS.md, D.4 to D.6, E and G), as stories of one core."""

import pytest

from lc_node.chain.types import View
from lc_node.consensus.messages import VoteMessage
from lc_node.consensus.outputs import (
    EvidenceFound,
    Fault,
    Misbehaviour,
    Output,
    PersistVote,
    SigningStopped,
)
from tests.consensus.stage import (
    FINALIZE,
    MEMBERS,
    NOTARIZE,
    NULLIFY,
    PARAMS,
    Author,
    Stage,
    bystander,
    leader,
    of,
    propose,
    signed,
    subject_of,
    vote,
)

ME = bystander(1, 2)
OTHERS = tuple(member for member in MEMBERS if member != ME)
DEADLINE = PARAMS.heartbeat + PARAMS.patience(View(1), View(0))


@pytest.fixture
def author() -> Author:
    return Author()


@pytest.fixture
def stage() -> Stage:
    return Stage(ME).start()


def accused(outputs: list[Output]) -> list[Fault]:
    return [output.fault for output in of(Misbehaviour, outputs)]


def test_a_voter_gives_the_view_up_at_its_deadline_and_not_before(stage: Stage) -> None:
    early = stage.wait(DEADLINE - 1)
    late = stage.wait(1)

    assert (signed(early), signed(late)) == ([], [("NULLIFY", 1)])


def test_a_voter_with_work_gives_up_much_sooner(stage: Stage) -> None:
    stage.work()
    outputs = stage.wait(PARAMS.interval + PARAMS.patience(View(1), View(0)))

    assert signed(outputs) == [("NULLIFY", 1)]


def test_a_notarization_is_no_obstacle_to_nullifying(stage: Stage, author: Author) -> None:
    stage.tell(propose(author.block(1), 0))

    assert signed(stage.wait(DEADLINE)) == [("NULLIFY", 1)]


def test_a_voter_joins_so_many_that_nullify_that_no_quorum_is_left(stage: Stage) -> None:
    one = stage.tell(VoteMessage(vote=vote(OTHERS[0], NULLIFY, 1)))
    two = stage.tell(VoteMessage(vote=vote(OTHERS[1], NULLIFY, 1)))

    assert (signed(one), signed(two)) == ([], [("NULLIFY", 1)])


# D.5 and D.6


def test_two_more_notarizations_make_a_certificate_and_the_next_view(
    stage: Stage, author: Author
) -> None:
    block = author.block(1)
    stage.tell(propose(block, 0))
    third = next(m for m in OTHERS if m != leader(1))
    outputs = stage.tell(VoteMessage(vote=vote(third, NOTARIZE, 1, subject_of(block, 0))))

    assert signed(outputs) == [("FINALIZE", 1)]
    assert stage.core.view == 2


def test_a_finalize_is_stored_together_with_its_notarization(stage: Stage, author: Author) -> None:
    notarization = stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0))
    (stored,) = of(PersistVote, stage.adopt(notarization))

    assert stored.certificate == notarization


def test_a_voter_finalises_a_past_view_that_it_did_not_nullify(
    stage: Stage, author: Author
) -> None:
    stage.adopt(stage.certificate(NULLIFY, 1))

    assert signed(stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0)))) == [
        ("FINALIZE", 1)
    ]


def test_a_voter_never_finalises_a_view_that_it_nullified(stage: Stage, author: Author) -> None:
    stage.wait(DEADLINE)
    outputs = stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0)))

    assert (signed(outputs), stage.core.view) == ([], 2)


def test_a_nullification_begins_the_next_view(stage: Stage) -> None:
    stage.tell(*(VoteMessage(vote=vote(member, NULLIFY, 1)) for member in OTHERS[:2]))

    assert stage.core.view == 2


def test_a_certificate_of_a_past_view_does_not_lead_back(stage: Stage) -> None:
    stage.adopt(stage.certificate(NULLIFY, 5))
    stage.adopt(stage.certificate(NULLIFY, 2))

    assert stage.core.view == 6


def test_a_forged_certificate_accuses_its_sender(stage: Stage) -> None:
    outputs = stage.adopt(stage.certificate(NULLIFY, 1, signers=OTHERS[:2]))

    assert (accused(outputs), stage.core.view) == ([Fault.BAD_CERTIFICATE], 1)


def test_a_certificate_that_is_held_is_not_verified_again(stage: Stage) -> None:
    stage.adopt(stage.certificate(NULLIFY, 1))
    outputs = stage.adopt(stage.certificate(NULLIFY, 1, signers=OTHERS[:2]))

    assert accused(outputs) == []


# G and E


def test_votes_that_convict_are_handed_on_as_evidence(stage: Stage, author: Author) -> None:
    subject = subject_of(author.block(1), 0)
    first, second = vote(OTHERS[0], NULLIFY, 1), vote(OTHERS[0], FINALIZE, 1, subject)
    outputs = stage.tell(VoteMessage(vote=first), VoteMessage(vote=second))

    assert of(EvidenceFound, outputs) == [EvidenceFound(first=first, second=second)]


def test_a_node_that_meets_a_vote_of_its_own_that_it_lacks_signs_no_more(stage: Stage) -> None:
    outputs = stage.tell(VoteMessage(vote=vote(ME, NULLIFY, 1)))
    later = stage.wait(DEADLINE)

    assert len(of(SigningStopped, outputs)) == 1
    assert (signed(later), stage.core.may_sign) == ([], False)


def test_a_node_that_meets_a_certificate_with_a_vote_it_lacks_signs_no_more(stage: Stage) -> None:
    outputs = stage.adopt(stage.certificate(NULLIFY, 1, signers=(ME, *OTHERS[:2])))

    assert len(of(SigningStopped, outputs)) == 1


def test_a_node_that_meets_its_own_vote_again_goes_on(stage: Stage) -> None:
    stage.wait(DEADLINE)
    outputs = stage.tell(VoteMessage(vote=vote(ME, NULLIFY, 1)))

    assert of(SigningStopped, outputs) == []


def test_a_node_that_may_not_sign_never_does(author: Author) -> None:
    stage = Stage(leader(1), may_sign=False).start()
    outputs = stage.wait(DEADLINE)
    outputs += stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0)))

    assert signed(outputs) == []
