"""Certificates of two chains that are both final tell who must have broken the rules."""

import pytest
from msgspec.structs import replace

from lc_node.chain.crypto import sha256
from lc_node.chain.evidence import is_equivocation
from lc_node.chain.types import BlockId, Epoch, PublicKey, Signature, View
from lc_node.chain.votes import Certificate, Subject
from lc_node.consensus.accountability import convictions
from lc_node.consensus.certificates import signers
from tests.consensus.stage import FINALIZE, MEMBERS, NOTARIZE, NULLIFY, SETTING, certificate

A, B = (Subject(parent_view=View(0), block_id=BlockId(sha256(n))) for n in (b"a", b"b"))
SETTINGS = {SETTING.epoch: SETTING}
FIRST = certificate(FINALIZE, 1, A)
LAST = certificate(NULLIFY, 1, signers=MEMBERS[1:])


def both(first: Certificate, second: Certificate) -> set[PublicKey]:
    named = (set(signers(held, SETTING.validators)) for held in (first, second))
    return set.intersection(*named)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (FIRST, LAST),
        (certificate(NOTARIZE, 2, A), certificate(NOTARIZE, 2, B, MEMBERS[1:])),
        (certificate(FINALIZE, 2, A), certificate(FINALIZE, 2, B, MEMBERS[1:])),
    ],
    ids=["finalize and nullify", "two notarisations", "two finalisations"],
)
def test_who_signed_both_is_convicted_and_nobody_else(
    first: Certificate, second: Certificate
) -> None:
    found = convictions([first, second, first], SETTINGS)

    assert set(found) == both(first, second)
    assert all(is_equivocation(*pair) for pair in found.values())
    weight = SETTING.validators.weight(found)
    assert 3 * weight > SETTING.validators.total


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (certificate(NOTARIZE, 1, A), certificate(NULLIFY, 1)),
        (certificate(NOTARIZE, 1, A), certificate(FINALIZE, 1, A)),
        (certificate(FINALIZE, 1, A), certificate(NULLIFY, 2)),
    ],
    ids=["notarize and nullify", "the same block", "another view"],
)
def test_what_honest_validators_sign_convicts_nobody(
    first: Certificate, second: Certificate
) -> None:
    assert convictions([first, second], SETTINGS) == {}


def test_a_forged_certificate_convicts_nobody() -> None:
    forged = replace(LAST, signatures=(Signature(bytes(64)), *LAST.signatures[1:]))

    assert convictions([FIRST, forged], SETTINGS) == {}


def test_of_an_epoch_whose_validators_are_not_known_nobody_is_convicted() -> None:
    other = [replace(held, epoch=Epoch(7)) for held in (FIRST, LAST)]

    assert convictions(other, SETTINGS) == {}
