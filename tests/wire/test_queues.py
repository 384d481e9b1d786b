"""The fair queue: order within a peer, turns between peers, a bound on each."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.chain.types import ByteCount, PublicKey
from lc_node.wire.limits import QueueLimit
from lc_node.wire.queues import FairQueue

ANN, BOB = (PublicKey(bytes((n,)) * 32) for n in range(2))
LIMIT = QueueLimit(frames=3, bytes=ByteCount(100), bytes_all=ByteCount(1_000))
SHARED = QueueLimit(frames=1_000, bytes=ByteCount(400), bytes_all=ByteCount(600))


def drained(queue: FairQueue[int]) -> list[tuple[PublicKey, int]]:
    items = []
    while (item := queue.pop()) is not None:
        items.append(item)
    return items


def test_peers_take_turns() -> None:
    queue = FairQueue[int](LIMIT)
    for number in range(3):
        queue.push(ANN, number, 1)
    queue.push(BOB, 9, 1)

    assert drained(queue) == [(ANN, 0), (BOB, 9), (ANN, 1), (ANN, 2)]


def test_a_full_share_drops_its_newest_and_nobody_elses() -> None:
    queue = FairQueue[int](LIMIT)

    assert [queue.push(ANN, n, 1) for n in range(4)] == [True, True, True, False]
    assert queue.push(BOB, 0, 1)


def test_a_share_is_bounded_in_bytes() -> None:
    queue = FairQueue[int](LIMIT)

    assert queue.push(ANN, 0, 60)
    assert not queue.push(ANN, 1, 60)


def test_one_item_always_fits() -> None:
    assert FairQueue[int](LIMIT).push(ANN, 0, 1_000)


def crowd(queue: FairQueue[int], peers: range) -> dict[int, int]:
    """Return how many bytes of each peer find room when all of them send without end, in turn."""
    held = dict.fromkeys(peers, 0)
    for _ in range(1 + SHARED.bytes_all):
        for peer in peers:
            held[peer] += queue.push(PublicKey(peer.to_bytes(32, "big")), 0, 1)
    return held


def test_a_single_peer_gets_what_one_may_have() -> None:
    assert crowd(FairQueue(SHARED), range(1)) == {0: SHARED.bytes_all // 2}


def test_of_a_crowd_each_gets_as_much_and_all_together_no_more_than_all_may_have() -> None:
    held = crowd(FairQueue(SHARED), range(64))

    assert sum(held.values()) <= SHARED.bytes_all
    assert set(held.values()) <= {SHARED.bytes_all // 65, SHARED.bytes_all // 65 + 1}


def test_who_comes_after_a_crowd_still_finds_room() -> None:
    queue = FairQueue[int](SHARED)
    crowd(queue, range(5))

    assert crowd(queue, range(5, 6))[5] == SHARED.bytes_all // 6 // 2


def test_whoever_leaves_makes_room_for_the_others() -> None:
    queue = FairQueue[int](SHARED)
    before = crowd(queue, range(2))[0]
    queue.forget(PublicKey((1).to_bytes(32, "big")))

    assert crowd(queue, range(1))[0] == SHARED.bytes_all // 2 - before


def test_room_comes_back_as_items_are_taken() -> None:
    queue = FairQueue[int](LIMIT)
    queue.push(ANN, 0, 100)
    queue.pop()

    assert queue.push(ANN, 1, 100)


def test_what_a_forgotten_peer_sent_is_gone() -> None:
    queue = FairQueue[int](LIMIT)
    queue.push(ANN, 0, 1)
    queue.push(BOB, 1, 1)
    queue.push(ANN, 2, 1)
    queue.forget(ANN)
    queue.forget(ANN)

    assert len(queue) == 1
    assert drained(queue) == [(BOB, 1)]


@settings(max_examples=100)
@given(
    steps=st.lists(
        st.one_of(st.tuples(st.sampled_from([ANN, BOB]), st.integers(0, 60)), st.just("pop")),
        max_size=80,
    )
)
def test_the_length_is_what_can_be_taken_and_order_holds_within_a_peer(
    steps: list[tuple[PublicKey, int] | str],
) -> None:
    queue, taken = FairQueue[int](LIMIT), list[tuple[PublicKey, int]]()
    for number, step in enumerate(steps):
        if isinstance(step, str):
            taken.extend(filter(None, [queue.pop()]))
        else:
            queue.push(step[0], number, step[1])
    length = len(queue)
    rest = drained(queue)

    assert len(rest) == length
    for peer in (ANN, BOB):
        mine = [number for one, number in taken + rest if one == peer]
        assert mine == sorted(mine)
