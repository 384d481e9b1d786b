"""Counting votes and catching who votes twice (docs/CONSENSUS.md, C and G)."""

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.types import BlockId, View
from lc_node.chain.votes import NO_SUBJECT, Subject, VoteKind
from lc_node.consensus.tally import Tally
from tests.consensus.stage import FINALIZE, MEMBERS, NOTARIZE, NULLIFY, SETTING, vote

A, B, C = (
    Subject(parent_view=View(0), block_id=BlockId(sha256(name))) for name in (b"a", b"b", b"c")
)
LIAR = MEMBERS[0]


@pytest.fixture
def tally() -> Tally:
    return Tally(SETTING.validators)


def test_the_third_of_four_votes_completes_a_quorum(tally: Tally) -> None:
    votes = [vote(member, NOTARIZE, 1, A) for member in MEMBERS]
    quorums = [len(tally.count(each).quorum) for each in votes]

    assert quorums == [0, 0, 3, 0]


def test_votes_on_different_blocks_do_not_add_up(tally: Tally) -> None:
    votes = [vote(m, NOTARIZE, 1, s) for m, s in zip(MEMBERS, (A, A, B, B), strict=True)]

    assert not any(tally.count(each).quorum for each in votes)


def test_an_equivocators_votes_count_once_for_each_of_two_subjects(tally: Tally) -> None:
    for member in MEMBERS[1:3]:
        tally.count(vote(member, NOTARIZE, 1, B))
    tally.count(vote(LIAR, NOTARIZE, 1, A))

    assert len(tally.count(vote(LIAR, NOTARIZE, 1, B)).quorum) == 3


def test_a_third_subject_is_not_wanted(tally: Tally) -> None:
    tally.count(vote(LIAR, NOTARIZE, 1, A))
    tally.count(vote(LIAR, NOTARIZE, 1, B))

    assert not tally.is_wanted(vote(LIAR, NOTARIZE, 1, C))


def test_the_same_vote_is_not_wanted_twice(tally: Tally) -> None:
    tally.count(vote(LIAR, NOTARIZE, 1, A))

    assert not tally.is_wanted(vote(LIAR, NOTARIZE, 1, A))


def test_the_same_vote_weighs_once_however_often_it_is_counted(tally: Tally) -> None:
    tally.count(vote(MEMBERS[1], NOTARIZE, 1, A))
    tally.count(vote(LIAR, NOTARIZE, 1, A))

    assert not tally.count(vote(LIAR, NOTARIZE, 1, A)).quorum


CONVICTING = [
    (NOTARIZE, A, NOTARIZE, B),
    (FINALIZE, A, FINALIZE, B),
    (NULLIFY, NO_SUBJECT, FINALIZE, A),
    (FINALIZE, A, NULLIFY, NO_SUBJECT),
]
INNOCENT = [
    (NOTARIZE, A, NULLIFY, NO_SUBJECT),
    (NULLIFY, NO_SUBJECT, NOTARIZE, A),
    (NOTARIZE, A, FINALIZE, B),
    (NOTARIZE, A, FINALIZE, A),
]


@pytest.mark.parametrize(("first", "of", "second", "on"), CONVICTING)
def test_two_votes_convict(
    first: VoteKind, of: Subject, second: VoteKind, on: Subject, tally: Tally
) -> None:
    earlier = vote(LIAR, first, 1, of)
    tally.count(earlier)

    assert tally.count(vote(LIAR, second, 1, on)).conflict == earlier


@pytest.mark.parametrize(("first", "of", "second", "on"), INNOCENT)
def test_two_votes_are_innocent(
    first: VoteKind, of: Subject, second: VoteKind, on: Subject, tally: Tally
) -> None:
    tally.count(vote(LIAR, first, 1, of))

    assert tally.count(vote(LIAR, second, 1, on)).conflict is None


def test_votes_in_different_views_are_innocent(tally: Tally) -> None:
    tally.count(vote(LIAR, FINALIZE, 1, A))

    assert tally.count(vote(LIAR, FINALIZE, 2, B)).conflict is None


def test_a_view_is_blocked_once_no_quorum_is_left_to_finalise_it(tally: Tally) -> None:
    blocked = []
    for member in MEMBERS[:2]:
        tally.count(vote(member, NULLIFY, 1))
        blocked.append(tally.is_blocked(View(1)))

    assert blocked == [False, True]


def test_votes_of_finalised_views_are_forgotten(tally: Tally) -> None:
    old, new = vote(LIAR, NOTARIZE, 1, A), vote(LIAR, NOTARIZE, 2, A)
    tally.count(old)
    tally.count(new)
    tally.prune(View(1))

    assert (tally.has(old), tally.has(new)) == (False, True)
