"""An invitation lets in whom it was made for, on one graph, for a time."""

from msgspec.structs import replace

from lc_node.chain.types import Millis
from lc_node.wire.invitations import claim, invite, is_sound
from tests.peer_nodes import CHAIN, OTHER_CHAIN, SeededSigner

ANN, BOB, EVE, BEARER = (SeededSigner(n) for n in (1, 2, 3, 4))
NOON, EVENING, NIGHT = Millis(12), Millis(18), Millis(24)
FOR_BOB = invite(ANN, CHAIN, BOB.public_key, EVENING)
TICKET = claim(FOR_BOB, BOB, CHAIN, BOB.public_key)


def test_a_guest_comes_in_by_its_own_key() -> None:
    assert is_sound(TICKET, CHAIN, BOB.public_key, NOON)


def test_who_was_given_the_secret_comes_in_by_any_key() -> None:
    bearer = invite(ANN, CHAIN, BEARER.public_key, EVENING)

    assert is_sound(claim(bearer, BEARER, CHAIN, EVE.public_key), CHAIN, EVE.public_key, NOON)


def test_an_invitation_holds_to_its_last_moment() -> None:
    assert is_sound(TICKET, CHAIN, BOB.public_key, EVENING)
    assert not is_sound(TICKET, CHAIN, BOB.public_key, NIGHT)


def test_who_has_seen_a_ticket_cannot_use_it() -> None:
    assert not is_sound(TICKET, CHAIN, EVE.public_key, NOON)


def test_who_has_seen_an_invitation_cannot_claim_it() -> None:
    stolen = claim(FOR_BOB, EVE, CHAIN, EVE.public_key)

    assert not is_sound(stolen, CHAIN, EVE.public_key, NOON)


def test_an_invitation_is_to_one_graph() -> None:
    assert not is_sound(TICKET, OTHER_CHAIN, BOB.public_key, NOON)


def test_a_guest_cannot_stay_longer_than_was_signed() -> None:
    longer = replace(TICKET, invitation=replace(FOR_BOB, until=NIGHT))

    assert not is_sound(longer, CHAIN, BOB.public_key, NOON)
