"""Announced messages: one announcer asked at first, more when it does not deliver."""

from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.wire.limits import ANNOUNCED_MAX, ANNOUNCERS_MAX, WANT_MAX
from lc_node.wire.pulls import ASK_AGAIN, PROMISE, Pulls

ANN, BOB, EVE = (PublicKey(bytes((n,)) * 32) for n in range(3))
T0 = Millis(1_000_000)
LATER = Millis(T0 + ASK_AGAIN)


def name(number: int) -> Digest:
    return Digest(number.to_bytes(32, "big"))


M = name(0)


def announced(*peers: PublicKey, count: int = 1) -> Pulls:
    """Return what is lacked after these peers have announced the same messages."""
    pulls = Pulls()
    for peer in peers:
        for number in range(count):
            pulls.announced(name(number), peer)
    return pulls


def test_the_first_announcer_is_asked() -> None:
    pulls = announced(BOB, ANN)

    assert pulls.announcers(M) == (BOB, ANN)
    assert pulls.ask([M], T0) == {BOB: [M]}


def test_what_is_on_its_way_is_not_asked_for_again() -> None:
    pulls = announced(BOB, ANN)
    pulls.ask([M], T0)

    assert pulls.ask([M], T0) == {}
    assert pulls.ask_again(Millis(LATER - 1)) == {}


def test_what_nobody_announced_is_not_asked_for() -> None:
    assert Pulls().ask([M], T0) == {}


def test_what_does_not_come_is_asked_of_another_announcer() -> None:
    pulls = announced(BOB, ANN)
    pulls.ask([M], T0)

    assert pulls.ask_again(LATER) == {ANN: [M]}


def test_the_longer_a_message_does_not_come_the_more_announcers_are_asked() -> None:
    peers = [PublicKey(bytes((n,)) * 32) for n in range(8)]
    pulls = announced(*peers)
    pulls.ask([M], T0)

    asked = [pulls.ask_again(Millis(T0 + n * ASK_AGAIN)) for n in range(1, 5)]

    assert [len(asks) for asks in asked] == [2, 4, 1, 0]
    assert len(pulls) == 0


def test_what_no_announcer_delivers_is_forgotten() -> None:
    pulls = announced(BOB)
    pulls.ask([M], T0)

    assert pulls.ask_again(LATER) == {}
    assert len(pulls) == 0


def test_of_several_announcers_the_one_that_owes_least_is_asked() -> None:
    pulls = announced(BOB)
    pulls.ask([M], T0)
    for peer in (BOB, ANN):
        pulls.announced(name(1), peer)

    assert pulls.ask([name(1)], T0) == {ANN: [name(1)]}


def test_who_was_asked_is_not_listed_again_by_announcing_again() -> None:
    pulls = announced(BOB)
    pulls.ask([M], T0)
    pulls.announced(M, BOB)

    assert pulls.announcers(M) == ()


def test_a_message_that_has_come_is_lacked_no_more() -> None:
    pulls = announced(BOB, ANN)
    pulls.ask([M], T0)

    assert pulls.came(M, BOB, T0)
    assert len(pulls) == 0
    assert pulls.broken(Millis(T0 + PROMISE)) == ()


def test_a_message_from_who_was_not_asked_ends_the_search_but_not_the_promise() -> None:
    pulls = announced(BOB)
    pulls.ask([M], T0)

    assert not pulls.came(M, ANN, T0)
    assert len(pulls) == 0
    assert pulls.broken(Millis(T0 + PROMISE)) == (BOB,)


def test_a_late_delivery_keeps_the_promise() -> None:
    pulls = announced(BOB)
    pulls.ask([M], T0)
    pulls.came(M, ANN, T0)

    assert pulls.came(M, BOB, Millis(T0 + PROMISE - 1))
    assert pulls.broken(Millis(T0 + PROMISE)) == ()


def test_who_delivers_something_is_given_time_for_the_rest() -> None:
    pulls = announced(BOB, count=2)
    pulls.ask([name(0), name(1)], T0)
    pulls.came(name(0), BOB, Millis(T0 + 10))

    assert not pulls.came(name(5), BOB, Millis(T0 + 10))
    assert pulls.broken(Millis(T0 + PROMISE)) == ()
    assert pulls.broken(Millis(T0 + 10 + PROMISE)) == (BOB,)


def test_a_broken_promise_is_told_once() -> None:
    pulls = announced(BOB)
    pulls.ask([M], T0)

    assert pulls.broken(Millis(T0 + PROMISE)) == (BOB,)
    assert pulls.broken(Millis(T0 + PROMISE)) == ()


def test_what_a_peer_that_leaves_owed_is_asked_of_others() -> None:
    pulls = announced(BOB, ANN)
    pulls.ask([M], T0)
    pulls.left(BOB)

    assert pulls.ask_again(T0) == {ANN: [M]}


def test_a_peer_that_leaves_is_not_asked() -> None:
    pulls = announced(BOB, ANN)
    pulls.ask([M], T0)
    pulls.left(ANN)

    assert pulls.announcers(M) == ()
    assert pulls.came(M, BOB, T0)


def test_a_peer_is_asked_for_so_much_at_a_time() -> None:
    pulls = announced(BOB, count=WANT_MAX + 5)
    asks = pulls.ask([name(n) for n in range(WANT_MAX + 5)], T0)

    assert len(asks[BOB]) == WANT_MAX
    pulls.came(name(0), BOB, T0)
    assert pulls.ask_again(T0) == {BOB: [name(WANT_MAX)]}


def test_a_peer_can_announce_only_so_much() -> None:
    pulls = announced(BOB, count=ANNOUNCED_MAX + 5)

    assert len(pulls) == ANNOUNCED_MAX


def test_only_so_many_announcers_of_a_message_are_remembered() -> None:
    peers = [PublicKey(bytes((n,)) * 32) for n in range(ANNOUNCERS_MAX + 3)]

    assert len(announced(*peers).announcers(M)) == ANNOUNCERS_MAX


def test_an_announcer_is_remembered_once() -> None:
    assert announced(BOB, BOB).announcers(M) == (BOB,)


def test_who_leaves_owing_what_has_come_from_another_leaves_nothing_behind() -> None:
    pulls = announced(BOB)
    pulls.ask([M], T0)
    pulls.came(M, ANN, T0)
    pulls.left(BOB)

    assert len(pulls) == 0
    assert pulls.broken(Millis(T0 + PROMISE)) == ()


def test_what_only_a_peer_had_that_has_left_is_lacked_no_more() -> None:
    pulls = announced(ANN)
    pulls.left(ANN)

    assert len(pulls) == 0


def test_a_crowd_that_owes_as_much_as_it_may_costs_no_look_at_what_it_announces() -> None:
    pulls = announced(ANN, count=ANNOUNCED_MAX)
    pulls.ask_again(T0)
    assert tuple(pulls._askable()) == ()
    pulls.announced(name(ANNOUNCED_MAX), BOB)

    assert tuple(pulls._askable()) == (name(ANNOUNCED_MAX),)
    assert pulls.ask_again(T0) == {BOB: [name(ANNOUNCED_MAX)]}
