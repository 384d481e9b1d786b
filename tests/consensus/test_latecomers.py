"""What those in another epoch may make a node keep and send is bounded."""

from lc_node.chain.crypto import sha256
from lc_node.chain.types import BlockId, Epoch, Millis, MillisSpan, PublicKey
from lc_node.consensus.latecomers import (
    EARLY_PEERS_MAX,
    EARLY_PER_PEER_MAX,
    PEERS_MAX,
    Early,
    Patience,
)
from lc_node.consensus.messages import GetBlock, VoteMessage
from tests.consensus.stage import MEMBERS, NULLIFY, Author, propose, vote

PEER = MEMBERS[0].public_key


def stranger(number: int) -> PublicKey:
    return PublicKey(sha256(b"stranger %d" % number))


def ballot(view: int) -> VoteMessage:
    return VoteMessage(vote=vote(MEMBERS[0], NULLIFY, view))


def test_few_messages_of_a_peer_are_kept() -> None:
    early = Early()
    for view in range(1, 100):
        early.hold(PEER, ballot(view))

    assert len(list(early.drain())) == EARLY_PER_PEER_MAX


def test_a_message_that_is_repeated_is_kept_once() -> None:
    early = Early()
    for _ in range(2):
        early.hold(PEER, ballot(1))

    assert len(list(early.drain())) == 1


def test_one_proposal_of_a_peer_is_kept() -> None:
    early, author = Early(), Author()
    for view in (1, 2):
        early.hold(PEER, propose(author.block(view), 0))

    assert len(list(early.drain())) == 1


def test_messages_of_few_peers_are_kept() -> None:
    early = Early()
    for number in range(EARLY_PEERS_MAX + 1):
        early.hold(stranger(number), ballot(1))

    assert len(list(early.drain())) == EARLY_PEERS_MAX


def test_questions_are_not_kept() -> None:
    early = Early()
    early.hold(PEER, GetBlock(block_id=BlockId(sha256(b"a block"))))

    assert not list(early.drain())


def test_proposals_are_heard_first() -> None:
    early = Early()
    proposal = propose(Author().block(1), 0)
    early.hold(PEER, ballot(1))
    early.hold(stranger(1), proposal)

    assert [message for _, message in early.drain()] == [proposal, ballot(1)]


def test_what_was_heard_is_no_longer_kept() -> None:
    early = Early()
    early.hold(PEER, ballot(1))
    list(early.drain())

    assert not list(early.drain())


def test_a_peer_is_answered_about_each_epoch_for_itself() -> None:
    patience = Patience(MillisSpan(10))

    assert all(patience.allows(PEER, Epoch(epoch), Millis(0)) for epoch in range(3))


def test_of_very_many_questions_at_once_some_stay_unanswered() -> None:
    patience = Patience(MillisSpan(10))
    allowed = [patience.allows(stranger(n), Epoch(0), Millis(0)) for n in range(PEERS_MAX + 9)]

    assert sum(allowed) == PEERS_MAX


def test_questions_from_long_ago_do_not_count_against_new_ones() -> None:
    patience = Patience(MillisSpan(10))
    for number in range(PEERS_MAX):
        patience.allows(stranger(number), Epoch(0), Millis(0))

    assert patience.allows(PEER, Epoch(0), Millis(10))
