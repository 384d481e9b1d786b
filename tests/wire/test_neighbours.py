"""Whom messages are pushed to: few, some of them our own choice, none of them bad."""

from random import Random

import pytest

from lc_node.chain.types import Millis, PublicKey
from lc_node.wire.neighbours import DIALED_MIN, PUSHED_TO, ROTATION, Neighbours

T0 = Millis(1_000_000)


def key(number: int) -> PublicKey:
    return PublicKey(number.to_bytes(32, "big"))


class Party:
    """Neighbours whose misbehaviour the test decides."""

    def __init__(self, dialed: int, strangers: int, seed: int = 1) -> None:
        self.bad: set[PublicKey] = set()
        self.dialed = [key(n) for n in range(dialed)]
        self.strangers = [key(100 + n) for n in range(strangers)]
        self.all = Neighbours(Random(seed).randrange, lambda peer, _now: peer in self.bad)  # noqa: S311
        # Strangers come first, as an attacker would.
        for peer in [*self.strangers, *self.dialed]:
            self.all.joined(peer, is_dialed=peer in self.dialed, now=T0)

    def mesh(self, now: Millis = T0) -> set[PublicKey]:
        self.all.tend(now)
        return set(self.all.mesh(now))


@pytest.mark.parametrize("count", [0, 1, PUSHED_TO - 1])
def test_all_of_few_peers_are_pushed_to(count: int) -> None:
    assert len(Party(0, count).mesh()) == count


def test_of_many_peers_only_some_are_pushed_to() -> None:
    party = Party(20, 20)

    assert len(party.mesh()) == PUSHED_TO
    assert len(party.all.others(T0)) == 40 - PUSHED_TO


def test_strangers_that_come_first_leave_places_to_those_we_dial() -> None:
    party = Party(8, 56)

    assert len(party.mesh() & set(party.dialed)) == DIALED_MIN


def test_strangers_are_displaced_only_as_far_as_there_are_dialed_peers() -> None:
    party = Party(1, 20)

    assert set(party.dialed) < party.mesh()
    assert len(party.mesh()) == PUSHED_TO


def test_the_place_of_who_leaves_is_taken_by_another() -> None:
    party = Party(0, 10)
    gone = min(party.mesh())
    party.all.left(gone, T0)

    assert len(party.mesh()) == PUSHED_TO
    assert gone not in party.mesh()
    assert gone not in party.all


def test_a_bad_peer_is_not_pushed_to_even_before_the_next_heartbeat() -> None:
    party = Party(0, 10)
    bad = min(party.mesh())
    party.bad.add(bad)

    assert bad not in party.all.mesh(T0)
    assert len(party.mesh()) == PUSHED_TO
    assert bad not in party.all.others(T0)


def test_a_peer_that_wants_quiet_is_not_pushed_to_until_its_time_is_over() -> None:
    party = Party(0, PUSHED_TO)
    peer = party.strangers[0]
    party.all.silence(peer, Millis(T0 + 10))

    assert peer not in party.mesh(Millis(T0 + 9))
    assert peer in party.all.others(Millis(T0 + 9))
    assert peer in party.mesh(Millis(T0 + 10))


def test_quiet_for_a_peer_that_is_gone_means_nothing() -> None:
    party = Party(0, 1)
    party.all.silence(key(99), T0)

    assert len(party.mesh()) == 1


def test_one_place_changes_hands_now_and_then() -> None:
    party = Party(0, 20)
    before = party.mesh()

    assert party.mesh(Millis(T0 + ROTATION - 1)) == before
    assert len(party.mesh(Millis(T0 + ROTATION)) - before) == 1
    assert len(party.mesh(Millis(T0 + ROTATION))) == PUSHED_TO


def test_no_place_changes_hands_when_there_is_nobody_else() -> None:
    party = Party(0, 4)
    before = party.mesh()

    assert party.mesh(Millis(T0 + ROTATION)) == before


def test_who_is_dialed_is_known() -> None:
    party = Party(1, 1)

    assert party.all.is_dialed(party.dialed[0])
    assert not party.all.is_dialed(party.strangers[0])
    assert not party.all.is_dialed(key(99))


def test_a_few_of_given_peers_are_those_pushed_to_and_then_others() -> None:
    party = Party(0, 20)
    mesh = party.mesh()
    chosen = party.all.some_of(iter(party.strangers), T0)

    assert set(chosen) == mesh
    assert len(party.all.some_of(party.all.others(T0), T0)) == PUSHED_TO


def test_all_of_few_given_peers_are_chosen() -> None:
    party = Party(0, 20)
    few = party.all.others(T0)[:3]

    assert set(party.all.some_of(few, T0)) == set(few)


def test_the_given_peers_may_come_one_by_one() -> None:
    party = Party(0, 20)
    few = party.all.others(T0)[:3]

    assert set(party.all.some_of((peer for peer in few), T0)) == set(few)
