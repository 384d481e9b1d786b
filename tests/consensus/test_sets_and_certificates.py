"""Who votes, what a quorum is, and which certificates count (docs/CONSENSUS.md, A and B)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lc_node.chain.crypto import sha256
from lc_node.chain.types import BlockId, Epoch, PublicKey, Signature, View, Weight
from lc_node.chain.votes import NO_SUBJECT, Certificate, Subject
from lc_node.consensus.certificates import assemble, is_valid, signers, votes_of
from lc_node.consensus.validator_set import ValidatorSet
from tests.consensus.stage import (
    CHAIN,
    FINALIZE,
    MEMBERS,
    NOTARIZE,
    NULLIFY,
    SETTING,
    certificate,
    vote,
)

SUBJECT = Subject(parent_view=View(0), block_id=BlockId(sha256(b"block")))
GOOD = certificate(NOTARIZE, 1, SUBJECT)


def set_of(*weights: int) -> ValidatorSet:
    keys = [PublicKey(sha256(bytes([number]))) for number in range(len(weights))]
    return ValidatorSet({key: Weight(w) for key, w in zip(keys, weights, strict=True)})


@pytest.mark.parametrize(
    ("weights", "quorum", "blocking"),
    [
        ((1,), 1, 1),
        ((1, 1, 1), 3, 1),
        ((1, 1, 1, 1), 3, 2),
        ((10, 1, 1), 9, 4),
        ((1,) * 100, 67, 34),
    ],
)
def test_a_quorum_is_more_than_two_thirds_of_the_weight(
    weights: tuple[int, ...], quorum: int, blocking: int
) -> None:
    validators = set_of(*weights)

    assert (validators.quorum, validators.blocking) == (quorum, blocking)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_honest_weight_alone_is_a_quorum_and_two_quorums_share_an_honest_signer(
    weights: list[int],
) -> None:
    validators = set_of(*weights)
    faulty = (validators.total - 1) // 3

    assert validators.total - faulty >= validators.quorum
    assert 2 * validators.quorum - validators.total > faulty


@pytest.mark.parametrize("weights", [(), (1, 0)])
def test_a_set_without_members_or_weight_is_refused(weights: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="weight above zero"):
        set_of(*weights)


def test_members_lead_about_as_often_as_their_weight_says() -> None:
    validators = set_of(1, 3)
    views = [View(view) for view in range(1, 401)]
    leaders = validators.leaders(CHAIN, Epoch(0))
    heavy = [v for v in views if validators.weight([leaders.leader(v)]) == 3]

    assert 260 < len(heavy) < 340


def test_leaders_differ_between_epochs() -> None:
    validators = set_of(*(1,) * 10)
    leaders = [
        [validators.leaders(CHAIN, Epoch(epoch)).leader(View(view)) for view in range(1, 20)]
        for epoch in (0, 1)
    ]

    assert leaders[0] != leaders[1]


def test_a_certificate_names_its_signers_in_key_order() -> None:
    shuffled = certificate(NOTARIZE, 1, SUBJECT, (MEMBERS[3], MEMBERS[0], MEMBERS[2]))

    expected = tuple(MEMBERS[index].public_key for index in (0, 2, 3))
    assert signers(shuffled, SETTING.validators) == expected


def test_a_certificate_holds_the_votes_that_made_it() -> None:
    votes = tuple(vote(member, NULLIFY, 5) for member in MEMBERS[1:])

    assert votes_of(assemble(votes, SETTING.validators), SETTING.validators) == votes


GOOD_ONES = [
    GOOD,
    certificate(NULLIFY, 1),
    certificate(FINALIZE, 7, SUBJECT),
    certificate(NOTARIZE, 1, SUBJECT, MEMBERS),
]
FALSE_SIGNATURE = (*GOOD.signatures[:2], Signature(bytes(64)))
BAD_ONES = {
    "of another epoch": replace(GOOD, epoch=Epoch(1)),
    "by too few": certificate(NOTARIZE, 1, SUBJECT, MEMBERS[:2]),
    "with a false signature": replace(GOOD, signatures=FALSE_SIGNATURE),
    "with a signature too many": replace(GOOD, signatures=(*GOOD.signatures, GOOD.signatures[0])),
    "with a signature too few": replace(GOOD, signatures=GOOD.signatures[:2]),
    "with a bit for nobody": replace(GOOD, bitmap=bytes([GOOD.bitmap[0] | 16])),
    "with a byte too many": replace(GOOD, bitmap=GOOD.bitmap + b"\0"),
    "with no bitmap": replace(GOOD, bitmap=b"", signatures=()),
    "with other signers than signed": replace(GOOD, bitmap=b"\x0e"),
    "of another view than signed": replace(GOOD, view=View(2)),
    "of view 0": certificate(NULLIFY, 0),
    "nullifying a block": certificate(NULLIFY, 1, SUBJECT),
    "on a parent that is not earlier": certificate(
        NOTARIZE, 1, replace(SUBJECT, parent_view=View(1))
    ),
}


@pytest.mark.parametrize("good", GOOD_ONES, ids=lambda c: f"{c.kind.name} by {len(c.signatures)}")
def test_a_quorum_of_good_signatures_is_valid(good: Certificate) -> None:
    assert is_valid(good, SETTING, lambda _: False)


@pytest.mark.parametrize("why", BAD_ONES)
def test_a_certificate_is_invalid(why: str) -> None:
    assert not is_valid(BAD_ONES[why], SETTING, lambda _: False)


def test_a_signature_that_was_verified_before_is_not_verified_again() -> None:
    unsigned = replace(GOOD, signatures=(Signature(bytes(64)),) * 3)

    assert is_valid(unsigned, SETTING, lambda known: known.subject == SUBJECT)


def test_a_nullification_speaks_of_nothing() -> None:
    assert certificate(NULLIFY, 3).subject == NO_SUBJECT
