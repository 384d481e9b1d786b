"""Flooding: new once, passed on to those who lack it, memory bounded."""

from lc_node.chain.types import Digest, PublicKey
from lc_node.wire.gossip import SeenCache, message_id

ANN, BOB, EVE = (PublicKey(bytes((n,)) * 32) for n in range(3))


def test_a_message_is_new_once() -> None:
    seen = SeenCache(10)

    assert seen.note(message_id(b"m"), ANN)
    assert not seen.note(message_id(b"m"), BOB)
    assert message_id(b"m") in seen


def test_a_message_goes_to_those_not_known_to_have_it() -> None:
    seen = SeenCache(10)
    seen.note(message_id(b"m"), BOB)

    assert seen.lacking(message_id(b"m"), [EVE, BOB, ANN]) == (ANN, EVE)


def test_a_message_of_our_own_goes_to_all() -> None:
    seen = SeenCache(10)
    seen.note(message_id(b"m"), None)

    assert seen.lacking(message_id(b"m"), [ANN, BOB]) == (ANN, BOB)


def test_the_oldest_is_forgotten_first() -> None:
    seen = SeenCache(2)
    for number in range(3):
        seen.note(Digest(bytes((number,)) * 32), ANN)

    assert len(seen) == 2
    assert Digest(bytes(32)) not in seen


def test_other_bytes_are_another_message() -> None:
    assert message_id(b"m") != message_id(b"n")
