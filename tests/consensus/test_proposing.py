"""Proposing (docs/CONSENSUS.md, D.2), as stories of one core among four members."""

import pytest

from lc_node.chain.blocks import block_id
from lc_node.consensus.messages import GetBlock, GetCertificates, Propose, VoteMessage
from lc_node.consensus.outputs import (
    PersistBlock,
    PersistVote,
    Send,
)
from tests.consensus.stage import (
    NOTARIZE,
    NULLIFY,
    PARAMS,
    START,
    Author,
    Stage,
    leader,
    propose,
    sent,
    subject_of,
    vote,
)


@pytest.fixture
def author() -> Author:
    return Author()


def test_a_leader_stores_block_and_vote_before_it_sends_them() -> None:
    stage = Stage(leader(1)).start()
    outputs = stage.wait(PARAMS.heartbeat)

    kinds = [type(o) for o in outputs if isinstance(o, PersistBlock | PersistVote | Send)]
    assert kinds[:3] == [PersistBlock, PersistVote, Send]


def test_a_leader_takes_the_time_now_unless_its_parent_is_later(author: Author) -> None:
    view = next(view for view in range(2, 20) if leader(view) != leader(1))
    stage = Stage(leader(view)).start()
    first = author.block(1, time=START + 400)
    stage.tell(propose(first, 0))
    skipped = [stage.certificate(NULLIFY, between) for between in range(2, view)]
    stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(first, 0)), *skipped)
    proposals = sent(Propose, stage.work())
    proposals += sent(Propose, stage.wait(PARAMS.interval))

    assert [p.block.header.time for p in proposals] == [START + 401]


def test_a_proposal_carries_the_certificates_it_stands_on(author: Author) -> None:
    me = leader(4)
    stage = Stage(me).start()
    first = author.block(1)
    notarization = stage.certificate(NOTARIZE, 1, subject_of(first, 0))
    skipped = [stage.certificate(NULLIFY, 2), stage.certificate(NULLIFY, 3)]
    stage.tell(propose(first, 0))
    stage.adopt(notarization, *skipped)
    (proposal,) = sent(Propose, stage.wait(PARAMS.heartbeat))

    assert set(proposal.justification) == {notarization, *skipped}
    assert proposal.vote.subject.parent_view == 1


def test_a_leader_without_the_certificates_between_asks_for_them() -> None:
    stage = Stage(leader(4)).start()
    outputs = stage.adopt(stage.certificate(NULLIFY, 3))

    assert [(q.first, q.last) for q in sent(GetCertificates, outputs)] == [(2, 2)]


def test_a_leader_without_its_parents_body_asks_for_it(author: Author) -> None:
    stage = Stage(leader(2)).start()
    first = author.block(1)
    outputs = stage.adopt(stage.certificate(NOTARIZE, 1, subject_of(first, 0)))

    assert sent(GetBlock, outputs) == [GetBlock(block_id=block_id(first.header))]


def test_a_leader_that_gave_the_view_up_proposes_nothing_in_it() -> None:
    stage = Stage(leader(1)).start()
    stage.tell(*(VoteMessage(vote=vote(m, NULLIFY, 1)) for m in stage.others[:2]))
    outputs = stage.wait(PARAMS.heartbeat)

    assert 1 not in [proposal.vote.view for proposal in sent(Propose, outputs)]


def test_a_ledger_that_cannot_build_keeps_its_leader_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(leader(1)).start()
    monkeypatch.setattr(stage.ledger, "build", lambda *_: None)

    assert sent(Propose, stage.wait(PARAMS.heartbeat)) == []
