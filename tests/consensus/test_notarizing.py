"""What is notarized, and what is refused (docs/CONSENSUS.md, D.3), as stories of one core among four."""

from typing import Any

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.crypto import sha256
from lc_node.chain.types import BlockId, ByteCount, ChainId, Digest, Epoch, Height, Millis, View
from lc_node.chain.votes import Subject
from lc_node.consensus.messages import GetBlock, GetCertificates, Propose, VoteMessage
from lc_node.consensus.outputs import (
    Audience,
    EvidenceFound,
    Fault,
    Misbehaviour,
    Output,
    PersistBlock,
    Send,
    SetTimer,
)
from tests.consensus.stage import (
    FINALIZE,
    MEMBERS,
    NOTARIZE,
    NULLIFY,
    PARAMS,
    ROOT_ID,
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


def test_a_good_proposal_is_stored_and_notarized(stage: Stage, author: Author) -> None:
    outputs = stage.tell(propose(author.block(1), 0))

    assert of(PersistBlock, outputs)
    assert signed(outputs) == [("NOTARIZE", 1)]


def test_only_the_first_proposal_of_a_view_is_notarized(stage: Stage, author: Author) -> None:
    first, second = author.block(1), author.block(1, salt=b"2" * 32)
    outputs = stage.tell(propose(first, 0), propose(second, 0))

    assert signed(outputs) == [("NOTARIZE", 1)]
    assert len(of(EvidenceFound, outputs)) == 1


def test_the_same_proposal_twice_is_no_evidence(stage: Stage, author: Author) -> None:
    outputs = stage.tell(propose(author.block(1), 0), propose(author.block(1), 0))

    assert of(EvidenceFound, outputs) == []


def test_a_proposal_is_not_notarized_after_the_view_was_nullified(
    stage: Stage, author: Author
) -> None:
    stage.wait(DEADLINE)

    assert signed(stage.tell(propose(author.block(1, time=stage.now), 0))) == []


def test_a_proposal_of_a_later_view_waits_until_the_view_is_entered(
    stage: Stage, author: Author
) -> None:
    early = stage.tell(propose(author.block(2), 0))
    entered = stage.adopt(stage.certificate(NULLIFY, 1))

    assert (signed(early), signed(entered)) == ([], [("NOTARIZE", 2)])


def test_a_proposals_certificates_are_adopted_first(stage: Stage, author: Author) -> None:
    outputs = stage.tell(propose(author.block(2), 0, [stage.certificate(NULLIFY, 1)]))

    assert signed(outputs) == [("NOTARIZE", 2)]


def test_a_voter_without_a_skipped_views_nullification_asks_the_leader(
    author: Author,
) -> None:
    stage = Stage(bystander(3)).start()
    outputs = stage.tell(propose(author.block(3), 0, [stage.certificate(NULLIFY, 2)]))

    (send,) = [send for send in of(Send, outputs) if isinstance(send.message, GetCertificates)]
    assert send.to == leader(3).public_key
    assert signed(outputs) == []


def test_a_voter_without_the_parents_notarization_asks_for_it(author: Author) -> None:
    stage = Stage(bystander(3)).start()
    second = author.block(2)
    third = author.block(3, parent=block_id(second.header), time=START + 1)
    stage.adopt(stage.certificate(NULLIFY, 2))
    outputs = stage.tell(propose(third, 2))

    assert [(q.first, q.last) for q in sent(GetCertificates, outputs)] == [(2, 2)]


def test_a_voter_without_the_parents_body_asks_the_leader_then_anyone(
    stage: Stage, author: Author
) -> None:
    first = author.block(1)
    second = author.block(2, parent=block_id(first.header), time=START + 1)
    notarization = stage.certificate(NOTARIZE, 1, subject_of(first, 0))
    outputs = stage.tell(propose(second, 1, [notarization]))
    outputs += stage.wait(PARAMS.retry - 1) + stage.wait(1)

    asked = [send.to for send in of(Send, outputs) if isinstance(send.message, GetBlock)]
    assert asked == [leader(2).public_key, Audience.ANYONE]


def test_a_block_of_the_future_is_notarized_once_its_time_has_come(
    stage: Stage, author: Author
) -> None:
    early = stage.tell(propose(author.block(1, time=START + PARAMS.drift + 20), 0))
    late = stage.wait(20)

    assert (signed(early), signed(late)) == ([], [("NOTARIZE", 1)])
    assert SetTimer(at=Millis(START + 20)) in early


def ill(block: Block, **changes: Any) -> Block:
    return replace(block, header=replace(block.header, **changes))


ILLEGAL: dict[str, dict[str, Any]] = {
    "of another chain": {"chain_id": ChainId(sha256(b"another"))},
    "of another epoch": {"epoch": Epoch(1)},
    "of another view": {"view": View(7)},
    "by another proposer": {"proposer": ME.public_key},
    "of another height": {"height": Height(2)},
    "on another parent": {"parent_id": BlockId(sha256(b"another"))},
    "not after its parent": {"time": Millis(0)},
    "far too old": {"time": Millis(START - 60_000)},
    "with another state": {"state_root": Digest(sha256(b"another"))},
}


@pytest.mark.parametrize("why", ILLEGAL)
def test_an_illegal_block_makes_the_voter_nullify(why: str, stage: Stage, author: Author) -> None:
    bad = ill(author.block(1), **ILLEGAL[why])
    subject = subject_of(bad, 0)
    proposal = Propose(vote=vote(leader(1), NOTARIZE, 1, subject), block=bad, justification=())

    assert signed(stage.tell(proposal)) == [("NULLIFY", 1)]


def test_a_block_on_a_parent_before_the_finalised_one_makes_the_voter_nullify(
    author: Author,
) -> None:
    stage = Stage(bystander(2)).start()
    first = author.block(1)
    stage.tell(propose(first, 0))
    stage.adopt(stage.certificate(FINALIZE, 1, subject_of(first, 0)))

    assert signed(stage.tell(propose(author.block(2), 0))) == [("NULLIFY", 2)]


def test_a_block_larger_than_allowed_makes_the_voter_nullify(author: Author) -> None:
    stage = Stage(ME, params=replace(PARAMS, block_bytes_max=ByteCount(100))).start()

    assert signed(stage.tell(propose(author.block(1), 0))) == [("NULLIFY", 1)]


def test_a_block_on_an_invalid_notarised_one_is_not_voted_for(
    stage: Stage, author: Author
) -> None:
    bad = ill(author.block(1), state_root=Digest(sha256(b"another")))
    notarization = stage.certificate(NOTARIZE, 1, subject_of(bad, 0))
    stage.tell(
        Propose(vote=vote(leader(1), NOTARIZE, 1, subject_of(bad, 0)), block=bad, justification=())
    )
    stage.adopt(notarization)
    child = ill(author.block(2), parent_id=block_id(bad.header), height=Height(2))
    proposal = Propose(
        vote=vote(leader(2), NOTARIZE, 2, subject_of(child, 1)), block=child, justification=()
    )

    assert signed(stage.tell(proposal, proposal)) == []


def proposals_that_accuse(author: Author) -> dict[str, Propose]:
    good = propose(author.block(1), 0)
    block, subject = good.block, good.vote.subject
    return {
        "not by the leader": replace(good, vote=vote(ME, NOTARIZE, 1, subject)),
        "without a notarization": replace(good, vote=vote(leader(1), FINALIZE, 1, subject)),
        "of another block": replace(good, block=author.block(2)),
        "on itself": propose(block, 1),
        "with other transactions": replace(
            good, block=replace(block, transactions=Stage(ME).payments(1))
        ),
    }


@pytest.mark.parametrize(
    "why",
    [
        "not by the leader",
        "without a notarization",
        "of another block",
        "on itself",
        "with other transactions",
    ],
)
def test_a_false_proposal_accuses_its_sender(why: str, stage: Stage, author: Author) -> None:
    outputs = stage.tell(proposals_that_accuse(author)[why])

    assert (accused(outputs), signed(outputs)) == ([Fault.BAD_PROPOSAL], [])


def test_a_proposal_of_another_epoch_is_ignored(stage: Stage, author: Author) -> None:
    good = propose(author.block(1), 0)
    other = replace(good, vote=replace(good.vote, epoch=Epoch(1)))

    assert of(Misbehaviour, stage.tell(other)) == []


def test_a_proposal_far_ahead_is_not_kept(stage: Stage, author: Author) -> None:
    ahead = 2 + PARAMS.proposals_ahead
    outputs = stage.tell(propose(author.block(ahead), 0))
    entered = stage.adopt(*(stage.certificate(NULLIFY, view) for view in range(1, ahead)))

    assert ("NOTARIZE", ahead) not in signed(outputs + entered)


def test_a_false_signature_accuses_its_sender(stage: Stage) -> None:
    false = replace(vote(OTHERS[0], NULLIFY, 1), view=View(2))

    assert accused(stage.tell(VoteMessage(vote=false))) == [Fault.BAD_SIGNATURE]


def test_an_ill_formed_vote_accuses_its_sender(stage: Stage) -> None:
    subject = Subject(parent_view=View(3), block_id=ROOT_ID)
    ill_formed = vote(OTHERS[0], NOTARIZE, 1, subject)

    assert accused(stage.tell(VoteMessage(vote=ill_formed))) == [Fault.BAD_SIGNATURE]


def test_votes_of_strangers_and_other_epochs_are_ignored(stage: Stage) -> None:
    stranger = replace(vote(OTHERS[0], NULLIFY, 1), signer=SETTING.root.proposer)
    foreign = vote(OTHERS[0], NULLIFY, 1, epoch=1)

    outputs = stage.tell(VoteMessage(vote=stranger), VoteMessage(vote=foreign))
    assert of(Misbehaviour, outputs) == []


def test_votes_too_far_ahead_are_not_counted(stage: Stage) -> None:
    view = 2 + PARAMS.views_ahead
    stage.tell(*(VoteMessage(vote=vote(member, NULLIFY, view)) for member in OTHERS))

    assert stage.core.view == 1
