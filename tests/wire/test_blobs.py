"""The download plan: everyone is used, nobody is waited for, and every chunk comes once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.chain.crypto import sha256
from lc_node.chain.types import Digest, Millis, PublicKey
from lc_node.wire.blobs import (
    AHEAD_CHUNKS,
    PAUSE,
    STALL,
    TIMEOUT,
    WINDOW_CHUNKS,
    Arrival,
    Ask,
    BlobPlan,
)

ANN, BOB, EVE, ME = (PublicKey(bytes((n,)) * 32) for n in range(4))
T0 = Millis(1_000_000)
BAD = sha256(b"bad")


def digests(count: int) -> tuple[Digest, ...]:
    return tuple(sha256(b"%d" % index) for index in range(count))


def plan(count: int, *peers: PublicKey, first: int = 0) -> BlobPlan:
    made = BlobPlan(ME, digests(count), first=first)
    for peer in peers:
        made.join(peer)
    return made


def deliver(made: BlobPlan, ask: Ask) -> Arrival:
    arrival = made.arrived(ask.peer, ask.index)
    if arrival is not Arrival.NEW:
        return arrival
    return made.judged(ask.peer, ask.index, sha256(b"%d" % ask.index))


def test_a_blob_of_no_chunks_is_done() -> None:
    assert plan(0).is_done


def test_more_than_the_whole_from_an_earlier_download_is_the_whole() -> None:
    assert plan(2, ANN, first=5).is_done


def test_a_peer_is_asked_for_a_window_in_order() -> None:
    asks = plan(100, ANN).asks(T0)

    assert [ask.index for ask in asks] == list(range(WINDOW_CHUNKS))


def test_work_is_spread_over_all_peers() -> None:
    asks = plan(8, ANN, BOB).asks(T0)

    assert sorted(ask.peer for ask in asks) == [ANN] * 4 + [BOB] * 4


def test_a_resumed_download_asks_for_what_is_missing() -> None:
    assert [ask.index for ask in plan(5, ANN, first=3).asks(T0)] == [3, 4]


def test_no_more_is_asked_than_may_wait_in_memory() -> None:
    peers = [PublicKey(bytes((n,)) * 32) for n in range(9)]

    assert len(plan(1000, *peers).asks(T0)) == AHEAD_CHUNKS


def test_a_chunk_that_arrives_makes_room_for_the_next() -> None:
    made = plan(100, ANN)
    first, *_ = made.asks(T0)

    assert deliver(made, first) is Arrival.NEW
    assert made.asks(T0) == (Ask(peer=ANN, index=WINDOW_CHUNKS),)


def test_a_bad_chunk_ends_its_senders_part_and_is_asked_of_others() -> None:
    made = plan(2, ANN)
    made.asks(T0)
    made.join(BOB)
    made.arrived(ANN, 0)

    assert made.judged(ANN, 0, BAD) is Arrival.BAD
    assert made.sources == (BOB,)
    assert made.asks(T0) == (Ask(peer=BOB, index=0), Ask(peer=BOB, index=1))


def test_what_a_gone_peer_owed_is_asked_of_others() -> None:
    made = plan(2, ANN)
    made.asks(T0)
    made.join(BOB)
    made.leave(ANN)

    assert [ask.peer for ask in made.asks(T0)] == [BOB, BOB]


def test_a_chunk_that_was_never_asked_of_a_peer_is_unsolicited() -> None:
    made = plan(2, ANN)

    assert made.arrived(ANN, 0) is Arrival.UNSOLICITED
    assert made.arrived(EVE, 0) is Arrival.UNSOLICITED


def test_a_late_chunk_of_a_peer_that_was_given_up_is_nobodys_fault() -> None:
    made = plan(2, ANN)
    made.asks(T0)
    made.leave(ANN)

    assert made.arrived(ANN, 0) is Arrival.SPARE


def test_what_a_peer_was_asked_for_before_it_left_is_welcome_when_it_is_back() -> None:
    made = plan(2, ANN)
    first, *_ = made.asks(T0)
    made.leave(ANN)
    made.join(ANN)

    assert deliver(made, first) is Arrival.NEW


def test_a_second_copy_is_spare() -> None:
    made = plan(2, ANN)
    first, *_ = made.asks(T0)
    deliver(made, first)

    assert made.arrived(ANN, 0) is Arrival.SPARE
    assert made.judged(ANN, 0, BAD) is Arrival.SPARE


def test_a_chunk_that_times_out_is_asked_of_another_peer() -> None:
    made = plan(1, ANN)
    made.asks(T0)
    made.join(BOB)

    assert Ask(peer=BOB, index=0) in made.asks(Millis(T0 + TIMEOUT))


def test_a_peer_that_only_times_out_takes_no_further_part() -> None:
    made = plan(1, ANN)
    for step in range(3):
        made.asks(Millis(T0 + step * TIMEOUT))

    assert made.sources == ()


def test_the_chunk_that_all_wait_for_is_asked_of_a_second_peer() -> None:
    made = plan(1, ANN)
    made.asks(T0)
    made.join(BOB)

    assert made.asks(Millis(T0 + STALL - 1)) == ()
    assert made.asks(Millis(T0 + STALL)) == (Ask(peer=BOB, index=0),)
    assert made.asks(Millis(T0 + STALL)) == ()


def test_a_busy_peer_is_left_alone_for_a_moment() -> None:
    made = plan(1, ANN)
    made.asks(T0)
    made.busy(ANN, T0)

    assert made.asks(T0) == ()
    assert made.asks(Millis(T0 + PAUSE)) == (Ask(peer=ANN, index=0),)


def test_what_a_busy_peer_sends_after_all_is_not_asked_again() -> None:
    made = plan(2, ANN)
    late = made.asks(T0)[0]
    made.busy(ANN, T0)
    deliver(made, late)

    assert [ask.index for ask in made.asks(Millis(T0 + PAUSE))] == [1]


def test_what_one_of_two_owed_who_leaves_is_still_to_come_from_the_other() -> None:
    made = plan(1, ANN)
    made.asks(T0)
    made.join(BOB)
    made.asks(Millis(T0 + STALL))
    made.leave(ANN)
    made.join(EVE)

    assert made.asks(Millis(T0 + STALL)) == ()


def test_a_stranger_cannot_make_the_plan_wait() -> None:
    made = plan(1, ANN)
    made.busy(EVE, T0)
    made.leave(EVE)

    assert made.asks(T0) == (Ask(peer=ANN, index=0),)


@settings(max_examples=60)
@given(data=st.data(), count=st.integers(0, 60))
def test_whatever_peers_do_an_honest_one_brings_the_blob_home(
    data: st.DataObject, count: int
) -> None:
    made, now, pending = plan(count, ANN, BOB, EVE), T0, list[Ask]()
    got: set[int] = set()
    for _ in range(60 * 20):
        if made.is_done:
            break
        pending.extend(made.asks(now))
        now = Millis(now + 700)
        while pending:
            ask = pending.pop(0)
            fate = (
                "good" if ask.peer == ANN else data.draw(st.sampled_from(["good", "bad", "mute"]))
            )
            arrival = Arrival.SPARE if fate == "mute" else made.arrived(ask.peer, ask.index)
            if arrival is Arrival.NEW:
                digest = digests(count)[ask.index] if fate == "good" else BAD
                if made.judged(ask.peer, ask.index, digest) is Arrival.NEW:
                    assert ask.index not in got
                    got.add(ask.index)
        while made.position in got and not made.is_done:
            made.written()

    assert made.is_done
    assert got == set(range(count))
    assert ANN in made.sources or count == 0
