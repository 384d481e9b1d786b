"""A room of nodes founds one graph: each test plays a story on a clock of its own."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from lc_node.chain.codec import encode
from lc_node.chain.types import ChainId, Digest, Link, Millis, PublicKey
from lc_node.wire.founding import (
    CANDIDATES_MAX,
    STANDING_DECODER,
    Candidacy,
    Customs,
    Fetch,
    Found,
    Founding,
    Leave,
    Refuse,
    Standing,
    Step,
    Wait,
    Why,
    lobby_of,
    sign_candidacy,
)
from lc_node.wire.session import TransportKey
from tests.peer_nodes import CHAIN, OTHER_CHAIN, SeededSigner

CUSTOMS = Customs()
SIGNERS = sorted((SeededSigner(n) for n in range(1, 6)), key=lambda one: one.public_key)
ANN, BOB, CID, DAN, EVE = SIGNERS
TICK = 500


def candidacy(signer: SeededSigner, graph: str = "lab") -> Candidacy:
    return Candidacy(
        graph=graph,
        key=signer.public_key,
        transport_key=TransportKey(bytes(32)),
        link=Link(Digest(bytes(32))),
        offers=(),
    )


class Room:
    """Nodes that hear each other every half a second, except where a test says otherwise."""

    def __init__(self, *people: SeededSigner, customs: Customs = CUSTOMS) -> None:
        self.now = Millis(0)
        self.customs = customs
        self.nodes: dict[PublicKey, Founding] = {}
        self.deaf: set[tuple[PublicKey, PublicKey]] = set()
        self.steps: dict[PublicKey, Step] = {}
        for person in people:
            self.enter(person)

    def enter(self, person: SeededSigner) -> None:
        own = sign_candidacy(candidacy(person), person)
        self.nodes[person.public_key] = Founding(own, self.customs, self.now)

    def leave(self, person: SeededSigner) -> None:
        del self.nodes[person.public_key]
        del self.steps[person.public_key]

    def part(self, one: SeededSigner, other: SeededSigner) -> None:
        """Let two not see each other."""
        keys = one.public_key, other.public_key
        self.deaf |= {keys, keys[::-1]}

    def live(self, ticks: int) -> None:
        """Let time pass."""
        for _ in range(ticks):
            self.now = Millis(self.now + TICK)
            for me, node in self.nodes.items():
                self._listen(me, node)
            for key, node in self.nodes.items():
                self.steps[key] = node.step(self.now)

    def _listen(self, me: PublicKey, node: Founding) -> None:
        for key, other in self.nodes.items():
            if key != me and (key, me) not in self.deaf:
                assert node.hear(key, other.standing, self.now)

    def step(self, person: SeededSigner) -> Step:
        return self.steps[person.public_key]

    def has(self, chain: ChainId, *people: SeededSigner) -> None:
        """Let people have a chain's document."""
        for person in people:
            self.nodes[person.public_key].have(chain, self.now)

    def founders(self) -> list[PublicKey]:
        return [key for key, step in self.steps.items() if isinstance(step, Found)]


SETTLED = CUSTOMS.settle // TICK + 2
GONE = CUSTOMS.absent // TICK + 2


def names(step: Step) -> Iterable[PublicKey]:
    assert isinstance(step, Found)
    return [one.key for one in step.candidacies]


def test_the_lowest_key_founds_with_all_who_are_there() -> None:
    room = Room(CID, ANN, BOB)
    room.live(SETTLED)

    assert names(room.step(ANN)) == [ANN.public_key, BOB.public_key, CID.public_key]
    assert room.step(BOB) == room.step(CID) == Wait(Why.FOUNDER)


def test_nobody_founds_alone() -> None:
    room = Room(ANN)
    room.live(100)

    assert room.step(ANN) == Wait(Why.COMPANY)


def test_one_founds_alone_if_its_owner_says_so() -> None:
    room = Room(ANN, customs=Customs(founders=1))
    room.live(1)

    assert names(room.step(ANN)) == [ANN.public_key]


def test_as_long_as_people_come_nobody_founds() -> None:
    room = Room(ANN, BOB)
    room.live(SETTLED - 3)
    room.enter(CID)
    room.live(SETTLED - 3)

    assert room.step(ANN) == Wait(Why.LATECOMERS)
    room.live(3)
    assert len(list(names(room.step(ANN)))) == 3


def test_a_number_of_founders_is_waited_for_and_then_nothing_more() -> None:
    room = Room(ANN, BOB, customs=Customs(founders=3))
    room.live(100)
    assert room.step(ANN) == Wait(Why.COMPANY)

    room.enter(CID)
    room.live(2)

    assert len(list(names(room.step(ANN)))) == 3


def test_more_than_the_number_of_founders_found_nothing() -> None:
    room = Room(ANN, BOB, CID, customs=Customs(founders=2))
    room.live(100)

    assert room.step(ANN) == Wait(Why.TOO_MANY)


def test_a_founder_that_vanishes_is_followed_by_the_next_lowest() -> None:
    room = Room(ANN, BOB, CID)
    room.live(2)
    room.leave(ANN)
    room.live(GONE + SETTLED)

    assert room.founders() == [BOB.public_key]
    assert names(room.step(BOB)) == [BOB.public_key, CID.public_key]


def test_two_that_do_not_see_each_other_do_not_both_found_with_a_third() -> None:
    room = Room(ANN, BOB, CID)
    room.part(ANN, BOB)
    room.live(100)

    assert room.founders() == []
    assert room.step(ANN) == room.step(BOB) == Wait(Why.SIGHT)


def test_what_was_founded_is_fetched_by_all_and_nobody_founds_again() -> None:
    room = Room(ANN, BOB, CID)
    room.live(SETTLED)
    room.has(CHAIN, ANN)
    room.live(1)

    assert room.step(BOB) == room.step(CID) == Fetch(CHAIN)
    assert room.nodes[BOB.public_key].holders(CHAIN) == (ANN.public_key,)
    assert room.step(ANN) == Wait(Why.OTHERS)


def test_all_leave_once_all_have_the_document() -> None:
    room = Room(ANN, BOB, CID)
    room.live(2)
    room.has(CHAIN, ANN, BOB, CID)
    room.live(1)

    assert set(room.steps.values()) == {Leave()}


def test_one_that_does_not_fetch_does_not_hold_up_the_rest() -> None:
    room = Room(ANN, BOB)
    room.live(2)
    room.has(CHAIN, ANN)
    room.live(CUSTOMS.linger // TICK)

    assert room.step(ANN) == Leave()


def test_a_document_outlives_its_founder_among_those_who_fetched_it() -> None:
    room = Room(ANN, BOB, CID)
    room.live(2)
    room.has(CHAIN, ANN, BOB)
    room.live(1)
    room.leave(ANN)
    room.live(GONE)

    assert room.step(CID) == Fetch(CHAIN)
    assert room.nodes[CID.public_key].holders(CHAIN) == (BOB.public_key,)


def test_a_latecomer_follows_the_chain_that_runs_in_the_room() -> None:
    room = Room(CID)
    room.nodes[CID.public_key].see_chains([CHAIN])
    room.live(1)

    assert room.step(CID) == Fetch(CHAIN)


def test_where_two_chains_have_the_name_the_owner_has_to_say_which() -> None:
    room = Room(CID)
    room.nodes[CID.public_key].see_chains([OTHER_CHAIN, CHAIN])
    room.live(1)

    assert room.step(CID) == Refuse(tuple(sorted([CHAIN, OTHER_CHAIN])))


def test_two_founders_at_once_are_noticed_by_who_follows_neither() -> None:
    room = Room(ANN, BOB, CID)
    room.live(2)
    room.has(CHAIN, ANN)
    room.has(OTHER_CHAIN, BOB)
    room.live(1)

    assert room.step(CID) == Refuse(tuple(sorted([CHAIN, OTHER_CHAIN])))


def test_a_chain_that_has_ended_is_no_reason_to_wait() -> None:
    room = Room(ANN, BOB)
    node = room.nodes[ANN.public_key]
    node.see_chains([CHAIN])
    room.live(1)
    node.see_chains([])
    room.live(SETTLED)

    assert room.founders() == [ANN.public_key]


def test_to_be_heard_twice_is_to_be_there_once() -> None:
    room = Room(ANN, BOB)
    node = room.nodes[ANN.public_key]
    standing = room.nodes[BOB.public_key].standing

    assert node.hear(BOB.public_key, standing, room.now)
    assert node.hear(BOB.public_key, standing, room.now)
    node.step(room.now)
    assert node.company == {ANN.public_key, BOB.public_key}


def _foreign() -> Standing:
    return Founding(sign_candidacy(candidacy(BOB, "other"), BOB), CUSTOMS, Millis(0)).standing


def _unsigned() -> Standing:
    honest = Room(BOB).nodes[BOB.public_key].standing
    better = replace(honest.signed.candidacy, link=Link(Digest(b"x" * 32)))
    return replace(honest, signed=replace(honest.signed, candidacy=better))


@pytest.mark.parametrize(
    "standing", [_foreign(), _unsigned(), Room(CID).nodes[CID.public_key].standing]
)
def test_what_a_peer_did_not_sign_for_this_graph_does_not_count(standing: Standing) -> None:
    node = Room(ANN).nodes[ANN.public_key]

    assert not node.hear(BOB.public_key, standing, Millis(1))
    node.step(Millis(1))
    assert node.company == {ANN.public_key}


def test_a_room_has_an_end() -> None:
    crowd = [SeededSigner(number) for number in range(100, 100 + CANDIDATES_MAX + 3)]
    room = Room(ANN)
    node = room.nodes[ANN.public_key]
    for one in crowd:
        standing = Founding(sign_candidacy(candidacy(one), one), CUSTOMS, Millis(0)).standing
        assert node.hear(one.public_key, standing, Millis(1))
    node.step(Millis(1))

    assert len(node.company) == CANDIDATES_MAX
    assert STANDING_DECODER.decode(encode(node.standing)) == node.standing


def test_a_lobby_is_not_the_chain_of_any_graph() -> None:
    assert lobby_of("lab") != lobby_of("other")
