"""Answering, forwarding, repeating and asking (docs/CONSENSUS.md, D.8 to D.10)."""

import pytest

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.crypto import sha256
from lc_node.chain.types import BlockId, Epoch, View
from lc_node.chain.votes import Certificate
from lc_node.consensus.messages import (
    Blocks,
    CertificateMessage,
    Certificates,
    GetBlock,
    GetCertificates,
    Propose,
    VoteMessage,
)
from lc_node.consensus.outputs import Audience, Send, SetTimer
from tests.consensus.stage import (
    FINALIZE,
    MEMBERS,
    NOTARIZE,
    NULLIFY,
    PARAMS,
    ROOT_ID,
    START,
    Author,
    Stage,
    bystander,
    certificate,
    leader,
    of,
    propose,
    sent,
    subject_of,
    vote,
)

ME = bystander(1, 2)
DEADLINE = PARAMS.heartbeat + PARAMS.patience(View(1), View(0))
PEER = MEMBERS[0].public_key


@pytest.fixture
def author() -> Author:
    return Author()


@pytest.fixture
def stage() -> Stage:
    return Stage(ME).start()


def forwarded(stage: Stage, span: int) -> list[tuple[bytes, Certificate]]:
    outputs = of(Send, stage.wait(span))
    return [
        (send.to, send.message.certificate)
        for send in outputs
        if isinstance(send.message, CertificateMessage) and isinstance(send.to, bytes)
    ]


# D.8


def test_a_certificate_goes_after_a_while_to_every_member_not_known_past_its_view(
    stage: Stage,
) -> None:
    nullification = stage.certificate(NULLIFY, 1)
    stage.adopt(nullification)
    ahead = stage.others[0]
    stage.tell(VoteMessage(vote=vote(ahead, NULLIFY, 2)))

    expected = [(other.public_key, nullification) for other in stage.others[1:]]
    assert forwarded(stage, PARAMS.forward_lag) == expected


def test_a_finalize_shows_that_its_signer_is_past_the_view(stage: Stage, author: Author) -> None:
    subject = subject_of(author.block(1), 0)
    stage.adopt(stage.certificate(NOTARIZE, 1, subject))
    stage.tell(
        *(VoteMessage(vote=vote(other, FINALIZE, 1, subject)) for other in stage.others[:1])
    )

    receivers = [to for to, _ in forwarded(stage, PARAMS.forward_lag)]
    assert receivers == [other.public_key for other in stage.others[1:]]


def test_a_certificate_is_forwarded_once(stage: Stage) -> None:
    stage.adopt(stage.certificate(NULLIFY, 1))
    forwarded(stage, PARAMS.forward_lag)

    assert forwarded(stage, PARAMS.forward_lag) == []


def test_a_follower_forwards_nothing_to_members() -> None:
    stage = Stage(None).start()
    stage.adopt(stage.certificate(NULLIFY, 1))

    assert forwarded(stage, PARAMS.forward_lag) == []


# D.9


def test_who_gave_a_view_up_repeats_its_votes_and_what_led_there(
    stage: Stage, author: Author
) -> None:
    nullification = stage.certificate(NULLIFY, 1)
    stage.adopt(nullification)
    stage.tell(propose(author.block(2), 0))
    stage.wait(DEADLINE)
    outputs = stage.wait(PARAMS.retry)

    votes = [message.vote.kind for message in sent(VoteMessage, outputs, Audience.VALIDATORS)]
    certificates = sent(CertificateMessage, outputs, Audience.VALIDATORS)
    assert votes == [NOTARIZE, NULLIFY]
    assert certificates == [CertificateMessage(certificate=nullification)]


def test_nothing_is_repeated_while_nothing_is_amiss(stage: Stage, author: Author) -> None:
    stage.tell(propose(author.block(1), 0))

    assert sent(VoteMessage, stage.wait(PARAMS.retry)) == []


def test_a_leader_that_gave_up_repeats_its_proposal() -> None:
    stage = Stage(leader(1)).start()
    stage.wait(PARAMS.heartbeat)
    stage.wait(DEADLINE)
    outputs = stage.wait(PARAMS.retry)

    assert len(sent(Propose, outputs)) == 1
    assert [message.vote.kind for message in sent(VoteMessage, outputs)] == [NULLIFY]


def test_a_finalize_is_repeated_until_its_view_is_finalised(stage: Stage, author: Author) -> None:
    block = author.block(1)
    subject = subject_of(block, 0)
    stage.adopt(stage.certificate(NOTARIZE, 1, subject))
    before = sent(VoteMessage, stage.wait(PARAMS.retry))
    stage.adopt(stage.certificate(FINALIZE, 1, subject))
    after = sent(VoteMessage, stage.wait(PARAMS.retry))

    assert ([message.vote.kind for message in before], after) == ([FINALIZE], [])


def test_the_last_finalisation_is_repeated_with_the_entry(stage: Stage, author: Author) -> None:
    finalization = stage.certificate(FINALIZE, 1, subject_of(author.block(1), 0))
    nullification = stage.certificate(NULLIFY, 2)
    stage.adopt(finalization, nullification)
    stage.wait(DEADLINE)
    outputs = stage.wait(PARAMS.retry)

    repeated = sent(CertificateMessage, outputs, Audience.VALIDATORS)
    assert [message.certificate for message in repeated] == [nullification, finalization]


# D.10


def test_a_member_stuck_in_a_past_view_is_handed_the_way_out(stage: Stage, author: Author) -> None:
    finalization = stage.certificate(FINALIZE, 1, subject_of(author.block(1), 0))
    nullification = stage.certificate(NULLIFY, 2)
    stage.adopt(finalization, nullification)
    stuck = stage.others[0]
    outputs = stage.tell(VoteMessage(vote=vote(stuck, NULLIFY, 1)), peer=stuck)

    handed = sent(CertificateMessage, outputs, stuck.public_key)
    assert [message.certificate for message in handed] == [finalization, nullification]


def test_help_is_given_once_in_a_while(stage: Stage) -> None:
    stage.adopt(stage.certificate(NULLIFY, 1))
    stuck = stage.others[0]
    plea = VoteMessage(vote=vote(stuck, NULLIFY, 1))
    first, second = (stage.tell(plea, peer=stuck) for _ in range(2))
    stage.wait(PARAMS.retry)
    third = stage.tell(plea, peer=stuck)

    helped = [len(sent(CertificateMessage, outputs)) for outputs in (first, second, third)]
    assert helped == [1, 0, 1]


def test_nobody_is_helped_on_anothers_behalf(stage: Stage) -> None:
    stage.adopt(stage.certificate(NULLIFY, 1))
    stuck, meddler = stage.others[:2]

    assert (
        sent(
            CertificateMessage, stage.tell(VoteMessage(vote=vote(stuck, NULLIFY, 1)), peer=meddler)
        )
        == []
    )


def test_a_block_is_handed_to_who_asks_for_it(stage: Stage, author: Author) -> None:
    block = author.block(1)
    stage.tell(propose(block, 0))
    outputs = stage.tell(GetBlock(block_id=block_id(block.header)))

    assert sent(Blocks, outputs, PEER) == [Blocks(blocks=(block,), certificate=())]


def test_a_block_that_was_asked_for_is_taken(author: Author) -> None:
    stage = Stage(bystander(2)).start()
    first = author.block(1)
    second = author.block(2, block_id(first.header), START + 1)
    stage.tell(propose(second, 1, [stage.certificate(NOTARIZE, 1, subject_of(first, 0))]))
    outputs = stage.tell(Blocks(blocks=(first,), certificate=()))

    assert [message.vote.kind for message in sent(VoteMessage, outputs)] == [NOTARIZE]


def test_a_block_just_delivered_is_still_at_hand(stage: Stage, author: Author) -> None:
    block = author.block(1)
    stage.tell(propose(block, 0))
    stage.adopt(stage.certificate(FINALIZE, 1, subject_of(block, 0)))

    assert sent(Blocks, stage.tell(GetBlock(block_id=block_id(block.header))))


def test_the_last_delivered_block_is_at_hand_after_a_restart(stage: Stage, author: Author) -> None:
    block = author.block(1)
    stage.tell(propose(block, 0))
    stage.adopt(stage.certificate(FINALIZE, 1, subject_of(block, 0)))

    assert sent(Blocks, stage.restart().tell(GetBlock(block_id=block_id(block.header))))


def test_delivered_blocks_do_not_stay_at_hand_for_ever(author: Author) -> None:
    stage = Stage(None).start()
    blocks: list[Block] = []
    parent = ROOT_ID
    for view in range(1, 20):
        blocks.append(author.block(view, parent, START + view))
        parent = block_id(blocks[-1].header)
    final = certificate(FINALIZE, 19, subject_of(blocks[-1], 18))
    stage.adopt(final)
    stage.tell(Blocks(blocks=tuple(blocks), certificate=(final,)))

    assert sent(Blocks, stage.tell(GetBlock(block_id=block_id(blocks[0].header)))) == []


def test_an_unknown_block_is_not_answered(stage: Stage) -> None:
    question = GetBlock(block_id=BlockId(sha256(b"unknown")))

    assert sent(Blocks, stage.tell(question)) == []


def test_certificates_are_handed_to_who_asks_for_them(stage: Stage, author: Author) -> None:
    finalization = stage.certificate(FINALIZE, 1, subject_of(author.block(1), 0))
    nullifications = [stage.certificate(NULLIFY, view) for view in (2, 3, 4)]
    stage.adopt(finalization, *nullifications)
    question = GetCertificates(epoch=Epoch(0), first=View(3), last=View(9), finalized=View(0))

    (answer,) = sent(Certificates, stage.tell(question), PEER)
    assert answer.certificates == (*nullifications[1:], finalization)


@pytest.mark.parametrize(
    ("epoch", "finalized"), [(1, 0), (0, 1)], ids=["other epoch", "nothing new"]
)
def test_a_question_without_an_answer_is_not_answered(
    epoch: int, finalized: int, stage: Stage, author: Author
) -> None:
    stage.adopt(stage.certificate(FINALIZE, 1, subject_of(author.block(1), 0)))
    question = GetCertificates(
        epoch=Epoch(epoch), first=View(2), last=View(9), finalized=View(finalized)
    )

    assert sent(Certificates, stage.tell(question)) == []


def test_certificates_in_an_answer_are_adopted(stage: Stage) -> None:
    answer = Certificates(certificates=tuple(stage.certificate(NULLIFY, v) for v in (1, 2)))
    stage.tell(answer)

    assert stage.core.view == 3


def test_a_node_asks_anyone_for_news_when_it_starts() -> None:
    stage = Stage(None)
    stage.start()

    assert len(sent(GetCertificates, stage.outputs, Audience.ANYONE)) == 1


def polls(stage: Stage, *spans: int) -> list[int]:
    """Return how often news is asked for after each of these spans."""
    waits = [stage.wait(span) for span in spans]
    return [len(sent(GetCertificates, outputs, Audience.ANYONE)) for outputs in waits]


def test_in_a_quiet_network_news_is_asked_for_after_a_heartbeat() -> None:
    assert polls(Stage(None).start(), PARAMS.heartbeat - 1, 1) == [0, 1]


def test_news_is_asked_for_again_and_again_while_a_block_waits_to_be_finalised(
    author: Author,
) -> None:
    stage = Stage(None).start()
    stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(author.block(1), 0)))

    assert polls(stage, PARAMS.retry - 1, 1, PARAMS.retry) == [0, 1, 1]


def test_a_node_without_a_duty_wakes_up_for_news_only() -> None:
    stage = Stage(None).start()

    assert [timer.at for timer in of(SetTimer, stage.outputs)] == [START + PARAMS.heartbeat]


def test_the_timer_is_set_only_when_it_changes(stage: Stage) -> None:
    assert of(SetTimer, stage.tell(VoteMessage(vote=vote(stage.others[0], NULLIFY, 1)))) == []
