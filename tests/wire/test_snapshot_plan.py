"""A state comes together from many peers' answers, whoever lies, sleeps or leaves."""

from collections.abc import Callable, Mapping
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.chain.blocks import Block
from lc_node.chain.bucket import Bucket
from lc_node.chain.commitment import BUCKETS, Commitment, bucket_of
from lc_node.chain.errors import MalformedEntries
from lc_node.chain.genesis import genesis_header
from lc_node.chain.types import ByteCount, Digest, PublicKey
from lc_node.wire import snapshot_plan
from lc_node.wire.snapshot import (
    ANSWER_BYTES,
    WANTED_MAX,
    Buckets,
    GetBuckets,
    Manifest,
    Piece,
    cut_buckets,
)
from lc_node.wire.snapshot_plan import SILENCES_MAX, SnapshotPlan
from tests.chain.actors import genesis

ANN, BOB, EVE = (PublicKey(bytes([number]) * 32) for number in (1, 2, 3))
BLOCK = Block(header=genesis_header(genesis()), transactions=())
LARGE = b"L" * (ANSWER_BYTES + 1_000)


def state_of(count: int, *large: bytes) -> Commitment:
    entries = {b"k%032d" % number: b"value%d" % number for number in range(count)}
    return Commitment().updated(entries | dict.fromkeys(large, LARGE))


def manifest_of(state: Commitment) -> Manifest:
    return Manifest(block=BLOCK, leaves=b"".join(state.leaves()))


STATE = state_of(60)
MANIFEST = manifest_of(STATE)
EMPTY_LEAF = Digest(Bucket.of(()).leaf_hash())
EMPTIES = {i: EMPTY_LEAF for i in range(BUCKETS) if not len(STATE.bucket(i))}
"""Most buckets of a small state are empty: whoever has those fetches the rest in one question."""
KEY = b"k" + bytes(32)
PLACE = bucket_of(KEY)


def honest(state: Commitment, question: GetBuckets) -> Buckets:
    return cut_buckets(question, (state,))


def only(index: int, leaf: Digest | None = None) -> Mapping[int, Digest]:
    """Return what is held where just one bucket is missing."""
    held = {i: MANIFEST.leaf(i) for i in range(BUCKETS)}
    return held | {index: leaf or Digest(bytes(32))}


def piece(index: int, data: bytes, *, is_end: bool = True) -> Piece:
    return Piece(index=index, data=data, is_end=is_end)


def fetch(plan: SnapshotPlan, state: Commitment, peer: PublicKey = ANN) -> dict[int, bytes]:
    """Return what an honest peer brings."""
    found: dict[int, bytes] = {}
    while (question := plan.ask(peer)) is not None:
        found |= plan.take(peer, honest(state, question)) or {}
    return found


def test_an_honest_peer_brings_the_whole_state() -> None:
    plan = SnapshotPlan(MANIFEST, {})
    found = fetch(plan, STATE)

    assert plan.missing == 0
    assert {i: Bucket.load(data).leaf_hash() for i, data in found.items()} == dict(
        enumerate(STATE.leaves())
    )


def test_what_is_held_is_not_asked_for() -> None:
    plan = SnapshotPlan(MANIFEST, EMPTIES)
    question = plan.ask(ANN)

    assert question is not None
    assert len(question.wanted) == plan.missing == BUCKETS - len(EMPTIES)


def test_what_is_held_of_another_state_is_asked_for_where_it_differs() -> None:
    moved = STATE.updated({KEY: b"changed"})
    plan = SnapshotPlan(manifest_of(moved), {i: MANIFEST.leaf(i) for i in range(BUCKETS)})

    assert list(fetch(plan, moved)) == [PLACE]


def test_two_peers_are_asked_for_different_buckets() -> None:
    plan = SnapshotPlan(MANIFEST, {})
    first, second = plan.ask(ANN), plan.ask(BOB)

    assert first is not None
    assert second is not None
    assert not set(first.wanted) & set(second.wanted)
    assert len(first.wanted) == len(second.wanted) == WANTED_MAX


def test_what_a_slow_peer_owes_is_asked_of_another_in_the_end() -> None:
    plan = SnapshotPlan(MANIFEST, only(PLACE))
    plan.ask(EVE)

    assert list(fetch(plan, STATE)) == [PLACE]


def test_what_comes_twice_is_kept_once() -> None:
    plan = SnapshotPlan(MANIFEST, only(PLACE))
    question = plan.ask(EVE)
    assert question is not None
    fetch(plan, STATE)

    assert plan.take(EVE, honest(STATE, question)) == {}


LIES: Mapping[str, Callable[[Buckets], Buckets]] = {
    "bytes that are not the bucket's": lambda a: Buckets(
        pieces=(piece(a.pieces[0].index, b"lie"),)
    ),
    "a bucket that nobody asked for": lambda a: Buckets(
        pieces=(piece(a.pieces[-1].index + 1, a.pieces[0].data),)
    ),
    "the same bucket twice": lambda a: Buckets(pieces=(a.pieces[0], a.pieces[0])),
    "another order": lambda a: Buckets(pieces=a.pieces[::-1]),
    "a cut that is not needed": lambda a: Buckets(
        pieces=(piece(a.pieces[0].index, b"", is_end=False),)
    ),
    "a cut in the middle": lambda a: Buckets(
        pieces=(piece(a.pieces[0].index, LARGE, is_end=False), *a.pieces[1:])
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_ends_a_peer_s_part(lie: Callable[[Buckets], Buckets]) -> None:
    plan = SnapshotPlan(MANIFEST, {})
    question = plan.ask(EVE)
    assert question is not None
    taken = plan.take(EVE, lie(honest(STATE, question)))

    assert (taken, plan.ask(EVE), plan.has_left(EVE)) == (None, None, True)


def test_what_a_liar_was_asked_for_is_asked_of_others() -> None:
    plan = SnapshotPlan(MANIFEST, {})
    question = plan.ask(EVE)
    assert question is not None
    plan.take(EVE, Buckets(pieces=(piece(0, b"lie"),)))
    again = plan.ask(ANN)

    assert again == question


def test_a_large_bucket_comes_in_pieces() -> None:
    large = state_of(3, KEY)
    plan = SnapshotPlan(manifest_of(large), {})
    found = fetch(plan, large)

    assert Bucket.load(found[PLACE]).dump() == large.bucket(PLACE).dump()


def test_the_rest_of_a_large_bucket_is_not_fetched_once_another_has_brought_it() -> None:
    large = state_of(3, KEY)
    manifest = manifest_of(large)
    plan = SnapshotPlan(manifest, {i: manifest.leaf(i) for i in range(BUCKETS) if i != PLACE})
    question = plan.ask(EVE)
    assert question is not None
    plan.take(EVE, honest(large, question))
    fetch(plan, large)

    assert (plan.missing, plan.ask(EVE)) == (0, None)


def test_a_bucket_begun_by_a_peer_that_no_longer_has_it_is_begun_anew() -> None:
    large = state_of(3, KEY)
    plan = SnapshotPlan(manifest_of(large), {})
    while (question := plan.ask(EVE)) is not None and not question.offset:
        plan.take(EVE, honest(large, question))
    assert question is not None
    without = Buckets(pieces=tuple(p for p in honest(large, question).pieces if p.index != PLACE))
    plan.take(EVE, without)
    found = fetch(plan, large)

    assert PLACE in found
    assert not plan.has_left(EVE)


def test_a_bucket_without_end_is_a_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_plan, "BUCKET_BYTES_MAX", ByteCount(2 * ANSWER_BYTES))
    plan = SnapshotPlan(MANIFEST, only(PLACE))
    endless = Buckets(pieces=(piece(PLACE, bytes(ANSWER_BYTES), is_end=False),))
    taken = []
    for _ in range(3):
        plan.ask(EVE)
        taken.append(plan.take(EVE, endless))

    assert taken == [{}, {}, None]


def test_a_peer_is_not_asked_again_for_what_it_lacks() -> None:
    moved = STATE.updated({KEY: b"changed"})
    plan = SnapshotPlan(manifest_of(moved), {})
    while (question := plan.ask(BOB)) is not None:
        assert plan.take(BOB, honest(STATE, question)) is not None

    assert (plan.missing, plan.has_left(BOB)) == (1, False)


def test_a_peer_that_does_not_answer_is_left_after_a_while() -> None:
    plan = SnapshotPlan(MANIFEST, {})
    for _ in range(SILENCES_MAX):
        assert plan.ask(EVE) is not None
        plan.silent(EVE)

    assert (plan.has_left(EVE), plan.ask(EVE)) == (True, None)


def test_an_answer_makes_up_for_silence() -> None:
    plan = SnapshotPlan(MANIFEST, {})
    for _ in range(2 * SILENCES_MAX):
        plan.ask(ANN)
        plan.silent(ANN)
        question = plan.ask(ANN)
        assert question is not None
        plan.take(ANN, honest(STATE, question))

    assert not plan.has_left(ANN)


def test_what_a_peer_says_after_it_was_left_is_not_heard() -> None:
    plan = SnapshotPlan(MANIFEST, {})
    question = plan.ask(EVE)
    assert question is not None
    plan.leave(EVE)
    plan.silent(EVE)

    assert plan.take(EVE, honest(STATE, question)) == {}


def corrupted(answer: Buckets, draw: Random) -> Buckets:
    """Return an answer with one byte changed, a piece dropped, or in another order."""
    pieces = list(answer.pieces)
    place = draw.randrange(len(pieces))
    way = draw.randrange(3)
    if way == 0:
        data = bytearray(pieces[place].data)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        pieces[place] = piece(pieces[place].index, bytes(data))
    elif way == 1:
        pieces = []
    else:
        draw.shuffle(pieces)
    return Buckets(pieces=tuple(pieces))


@given(st.integers(0, 2**32), st.integers(0, 4), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_any_mixture_of_answers_ends_in_the_right_state_or_with_the_liars_left(
    seed: int, liars: int, honest_ones: int
) -> None:
    draw = Random(seed)  # noqa: S311  # not for secrets
    peers = {
        PublicKey(bytes([number]) * 32): number < liars for number in range(liars + honest_ones)
    }
    plan = SnapshotPlan(MANIFEST, EMPTIES)
    found: dict[int, bytes] = {}
    asked: dict[PublicKey, GetBuckets] = {}
    while True:
        for peer in peers:
            if peer not in asked and (question := plan.ask(peer)) is not None:
                asked[peer] = question
        if not asked:
            break
        peer = draw.choice(sorted(asked))
        answer = honest(STATE, asked.pop(peer))
        found |= plan.take(peer, corrupted(answer, draw) if peers[peer] else answer) or {}
    held = EMPTIES | {i: Digest(Bucket.load(data).leaf_hash()) for i, data in found.items()}

    assert all(held[i] == MANIFEST.leaf(i) for i in held)
    assert plan.missing == BUCKETS - len(held)
    assert plan.missing == 0 or not honest_ones
    assert not any(plan.has_left(peer) for peer, is_liar in peers.items() if not is_liar)


@given(st.integers(0, BUCKETS))
@settings(max_examples=20, deadline=None)
def test_a_download_goes_on_from_wherever_it_was_cut(count: int) -> None:
    held = {i: MANIFEST.leaf(i) for i in range(count)}
    plan = SnapshotPlan(MANIFEST, held)

    assert sorted(fetch(plan, STATE)) == list(range(count, BUCKETS))


def test_the_manifest_gives_the_state_s_root() -> None:
    assert MANIFEST.root == STATE.root


def test_a_frozen_state_stays_as_it_is() -> None:
    live = Commitment().updated({KEY: b"before"})
    live.flatten()
    frozen = live.frozen()
    later = live.updated({KEY: b"after"})
    later.flatten()

    assert (frozen.get(KEY), live.get(KEY)) == (b"before", b"after")
    assert frozen.root == Commitment().updated({KEY: b"before"}).root


@pytest.mark.parametrize("data", [b"", b"\0\0\0", b"\0\0\0\1", b"\0\0\0\0x", b"\xff" * 8])
def test_bytes_that_no_bucket_has_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedEntries):
        Bucket.load(data)


@given(st.dictionaries(st.binary(min_size=33, max_size=33), st.binary(max_size=9), max_size=9))
def test_a_bucket_is_read_back(entries: dict[bytes, bytes]) -> None:
    bucket = Bucket.of(sorted(entries.items()))

    assert list(Bucket.load(bucket.dump()).items()) == sorted(entries.items())
