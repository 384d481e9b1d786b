"""Several who fetch one blob at the same time help each other, and spare who has it."""

from collections import deque
from dataclasses import dataclass, field

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.wire.blobs import (
    STALL,
    WINDOW_CHUNKS,
    Arrival,
    Ask,
    BlobPlan,
    Holding,
)

SEED, ANN, BOB, EVE = (PublicKey(bytes((n,)) * 32) for n in range(4))
T0 = Millis(1_000_000)
CHUNKS = 200
ROUND_MS = 10


def digests(count: int) -> tuple[Digest, ...]:
    return tuple(sha256(b"%d" % index) for index in range(count))


@dataclass
class Fetcher:
    """One who fetches the blob, and serves what it has of it."""

    key: PublicKey
    plan: BlobPlan
    to_serve: deque[tuple[PublicKey, int]] = field(default_factory=deque)


def fetch_together(*, uploads_a_round: int) -> int:
    """Let three fetch from one who can send so many chunks while each of them sends one; count what it sends."""
    fetchers = {key: Fetcher(key, BlobPlan(key, digests(CHUNKS))) for key in (ANN, BOB, EVE)}
    seed: deque[tuple[PublicKey, int]] = deque()
    sent, now = 0, T0
    for one in fetchers.values():
        one.plan.join(SEED)
    while not all(one.plan.is_done for one in fetchers.values()):
        _tell(fetchers, now)
        now = Millis(now + ROUND_MS)
        for one in fetchers.values():
            for ask in one.plan.asks(now):
                queue = seed if ask.peer == SEED else fetchers[ask.peer].to_serve
                queue.append((one.key, ask.index))
        sent += _serve(fetchers, SEED, seed, uploads_a_round)
        for one in fetchers.values():
            _serve(fetchers, one.key, one.to_serve, 1)
    return sent


def _tell(fetchers: dict[PublicKey, Fetcher], now: Millis) -> None:
    """Let everyone know what everyone has."""
    for one in fetchers.values():
        for other in fetchers.values():
            if other is not one:
                other.plan.join_with(one.key, one.plan.holding, now)


def _serve(
    fetchers: dict[PublicKey, Fetcher],
    server: PublicKey,
    queue: deque[tuple[PublicKey, int]],
    count: int,
) -> int:
    """Deliver so many of what is asked, and return how many there were."""
    served = min(count, len(queue))
    for _ in range(served):
        asker, index = queue.popleft()
        _deliver(fetchers[asker], server, index)
    return served


def _deliver(to: Fetcher, peer: PublicKey, index: int) -> None:
    if to.plan.arrived(peer, index) is Arrival.NEW:
        to.plan.judged(peer, index, sha256(b"%d" % index))
    while to.plan.position in to.plan.holding.others:
        to.plan.written()


@pytest.mark.parametrize("uploads_a_round", [1, 2, 3, 6])
def test_three_at_once_cost_who_has_it_much_less_than_three_copies(uploads_a_round: int) -> None:
    assert fetch_together(uploads_a_round=uploads_a_round) <= 2.2 * CHUNKS


def plan(count: int) -> BlobPlan:
    return BlobPlan(ANN, digests(count))


def test_a_companion_has_a_share_and_is_asked_for_what_it_has() -> None:
    made = plan(8)
    made.join(SEED)
    made.join_with(BOB, Holding(below=1, others=frozenset({5})), T0)

    asks = made.asks(T0)

    assert {ask.index for ask in asks if ask.peer == BOB} == {0, 5}
    assert {ask.index for ask in asks if ask.peer == SEED} == {2, 4, 6}


def test_a_companion_that_gets_on_with_nothing_has_no_share() -> None:
    made = plan(8)
    made.join(SEED)
    made.join_with(BOB, Holding(below=0), Millis(T0 - STALL))

    assert [ask.index for ask in made.asks(T0)] == list(range(8))


def test_the_same_word_again_is_no_progress() -> None:
    made = plan(4)
    made.join(SEED)
    made.join_with(BOB, Holding(below=0), Millis(T0 - STALL))
    made.join_with(BOB, Holding(below=0), T0)

    assert len(made.asks(T0)) == 4


def test_what_does_not_come_from_companions_is_asked_of_who_has_all() -> None:
    made = plan(2)
    made.join(SEED)
    made.asks(T0)
    made.join_with(BOB, Holding(below=2), T0)
    made.leave(SEED)
    made.join(SEED)
    made.asks(T0)

    late = made.asks(Millis(T0 + STALL))

    assert late == (Ask(peer=SEED, index=0),)


def test_a_companion_that_has_completed_the_blob_is_asked_for_anything() -> None:
    made = plan(3)
    made.join_with(BOB, Holding(below=0), T0)
    assert made.asks(T0) == ()

    made.join(BOB)

    assert [ask.index for ask in made.asks(T0)] == [0, 1, 2]


def test_without_anybody_who_has_all_there_is_no_whole() -> None:
    made = plan(3)
    made.join_with(BOB, Holding(below=3), T0)

    assert not made.has_whole


def test_one_who_has_all_is_enough() -> None:
    made = plan(3)
    made.join_with(BOB, Holding(below=3), T0)
    made.join(SEED)

    assert made.has_whole


def test_no_more_than_a_window_is_asked_of_a_companion() -> None:
    made = plan(100)
    made.join_with(BOB, Holding(below=100), T0)

    assert len(made.asks(T0)) == WINDOW_CHUNKS


def test_a_plan_says_what_can_be_handed_on_from_here() -> None:
    made = plan(4)
    made.join(SEED)
    made.asks(T0)
    for index in (0, 2):
        made.arrived(SEED, index)
        made.judged(SEED, index, made.digests[0] if index == 0 else sha256(b"2"))
    made.written()

    assert made.holding == Holding(below=1, others=frozenset({2}))
