"""What is remembered of gossip: new once, who knows of what, and never more than so much."""

from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.merkle import leaf_hash
from lc_node.wire.gossip import Mark, SeenCache, message_id

ANN, BOB, EVE = (PublicKey(bytes((n,)) * 32) for n in range(3))
T0 = Millis(1_000_000)
M = message_id(b"m")


def cache(entries_max: int = 10) -> SeenCache:
    """Return a memory that keeps account of three peers."""
    seen = SeenCache(entries_max)
    for peer in (ANN, BOB, EVE):
        seen.joined(peer)
    return seen


def test_a_message_is_new_once() -> None:
    seen = cache()

    assert seen.is_wanted(M, T0)
    assert seen.note(M, T0)
    assert not seen.note(M, T0)
    assert not seen.is_wanted(M, T0)
    assert M in seen


def test_a_postponed_message_is_new_once_more_when_its_time_has_come() -> None:
    seen = cache()
    seen.note(M, T0)
    seen.postpone(M, Millis(T0 + 5))

    assert not seen.note(M, Millis(T0 + 4))
    assert seen.note(M, Millis(T0 + 5))
    assert not seen.note(M, Millis(T0 + 9))


def test_a_message_goes_to_those_not_known_to_know_of_it() -> None:
    seen = cache()
    seen.note(M, T0)
    seen.mark(M, BOB, Mark.KNOWS)

    assert seen.lacking(M, [EVE, BOB, ANN]) == (ANN, EVE)


def test_what_is_remembered_of_a_peer_can_be_taken_back() -> None:
    seen = cache()
    seen.note(M, T0)
    seen.mark(M, BOB, Mark.GOT)
    seen.unmark(M, BOB, Mark.GOT)

    assert not seen.is_marked(M, BOB, Mark.GOT)


def test_marks_are_kept_apart() -> None:
    seen = cache()
    seen.note(M, T0)
    seen.mark(M, BOB, Mark.TOLD_US)

    assert seen.is_marked(M, BOB, Mark.TOLD_US)
    assert not seen.is_marked(M, BOB, Mark.KNOWS)
    assert not seen.is_marked(M, EVE, Mark.TOLD_US)


def test_nothing_is_remembered_of_an_unknown_message() -> None:
    seen = cache()
    for change in (seen.mark, seen.unmark):
        change(M, BOB, Mark.KNOWS)
    seen.postpone(M, T0)

    assert not seen.is_marked(M, BOB, Mark.KNOWS)
    assert len(seen) == 0


def test_nothing_is_remembered_of_a_peer_that_is_not_there() -> None:
    seen = SeenCache(10)
    seen.note(M, T0)
    seen.mark(M, ANN, Mark.KNOWS)

    assert seen.lacking(M, [ANN]) == (ANN,)


def test_what_a_peer_knew_is_forgotten_when_it_leaves() -> None:
    seen = cache()
    seen.note(M, T0)
    for peer in (ANN, BOB):
        seen.mark(M, peer, Mark.KNOWS)
    seen.left(ANN)
    seen.joined(ANN)

    assert seen.lacking(M, [ANN, BOB]) == (ANN,)


def test_of_who_leaves_every_mark_is_forgotten_and_of_others_none() -> None:
    seen = cache()
    seen.note(M, T0)
    for mark in Mark:
        seen.mark(M, ANN, mark)
        seen.mark(M, BOB, mark)
    seen.left(ANN)
    seen.joined(ANN)

    assert not any(seen.is_marked(M, ANN, mark) for mark in Mark)
    assert all(seen.is_marked(M, BOB, mark) for mark in Mark)


def test_the_oldest_is_forgotten_first() -> None:
    seen = cache(2)
    for number in range(3):
        seen.note(Digest(bytes((number,)) * 32), T0)

    assert len(seen) == 2
    assert Digest(bytes(32)) not in seen


def test_a_message_is_named_as_the_mempool_names_a_transaction() -> None:
    assert message_id(b"m") == leaf_hash(b"m")
    assert message_id(b"m") != message_id(b"n")
