"""Frames of a data connection: what was sent comes out, in its order, or nothing does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lc_node.chain.errors import MalformedBytes
from lc_node.wire.data_frames import (
    HEAD_BYTES,
    OPENED_MAX,
    SEALED_MAX,
    Opener,
    Sealer,
    data_keys,
)
from lc_node.wire.session import Role

SECRET = bytes(range(32))
OURS, THEIRS = data_keys(SECRET, Role.DIALER), data_keys(SECRET, Role.LISTENER)


def opened(opener: Opener, sent: bytes) -> bytes:
    """Return the frame that was sent so."""
    head = sent[:HEAD_BYTES]
    sealed = memoryview(sent)[HEAD_BYTES:][: opener.length(head)]
    return bytes(opener.open(head, sealed, memoryview(bytearray(OPENED_MAX))))


def sealed(*frames: bytes) -> list[bytes]:
    """Return what the dialer sends for some frames."""
    sealer = Sealer(OURS.sending)
    return [bytes(sealer.seal(frame)) for frame in frames]


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5))
def test_frames_come_out_as_they_were_sent(frames: list[bytes]) -> None:
    opener = Opener(THEIRS.receiving)

    assert [opened(opener, sent) for sent in sealed(*frames)] == frames


def test_the_longest_frame_comes_out_as_it_was_sent() -> None:
    longest = bytes(OPENED_MAX)

    assert opened(Opener(THEIRS.receiving), *sealed(longest)) == longest


def test_each_end_reads_what_the_other_writes_by_keys_that_differ() -> None:
    assert (OURS.sending, OURS.receiving) == (THEIRS.receiving, THEIRS.sending)
    assert len({OURS.sending, OURS.receiving, SECRET}) == 3


def test_both_ends_know_the_three_words_of_the_greeting_which_differ() -> None:
    words = (OURS.token, OURS.answer, OURS.confirmation)

    assert words == (THEIRS.token, THEIRS.answer, THEIRS.confirmation)
    assert len(set(words)) == 3


def test_another_secret_has_other_keys() -> None:
    other = data_keys(bytes(32), Role.DIALER)

    assert {other.token, other.sending}.isdisjoint({OURS.token, OURS.sending})


def test_keys_are_not_shown() -> None:
    assert repr(OURS) == "DataKeys()"


def test_of_a_frame_nothing_can_be_read() -> None:
    assert b"a model" not in sealed(b"a model")[0]


@given(st.integers(min_value=HEAD_BYTES, max_value=HEAD_BYTES + 22), st.integers(1, 255))
def test_a_changed_byte_is_noticed(place: int, change: int) -> None:
    sent = bytearray(sealed(b"a model")[0])
    sent[place] ^= change

    with pytest.raises(MalformedBytes, match="changed"):
        opened(Opener(THEIRS.receiving), bytes(sent))


def test_a_shortened_frame_is_noticed() -> None:
    sent = sealed(b"a model")[0]
    short = (len(sent) - HEAD_BYTES - 1).to_bytes(HEAD_BYTES, "big") + sent[HEAD_BYTES:-1]

    with pytest.raises(MalformedBytes, match="changed"):
        opened(Opener(THEIRS.receiving), short)


@pytest.mark.parametrize("order", [(1,), (0, 0), (0, 2)], ids=["left out", "again", "moved"])
def test_a_frame_out_of_its_order_is_noticed(order: tuple[int, ...]) -> None:
    sent, opener = sealed(b"one", b"two", b"three"), Opener(THEIRS.receiving)
    for one in order[:-1]:
        opened(opener, sent[one])

    with pytest.raises(MalformedBytes):
        opened(opener, sent[order[-1]])


def test_a_frame_that_is_sent_back_is_noticed() -> None:
    with pytest.raises(MalformedBytes):
        opened(Opener(OURS.receiving), *sealed(b"a model"))


@pytest.mark.parametrize("length", [0, 16, SEALED_MAX + 1, 2**32 - 1])
def test_a_length_that_no_frame_has_is_malformed(length: int) -> None:
    with pytest.raises(MalformedBytes, match="length"):
        Opener(THEIRS.receiving).length(length.to_bytes(HEAD_BYTES, "big"))


@given(st.binary(max_size=200))
def test_bytes_of_strangers_are_malformed(stranger: bytes) -> None:
    with pytest.raises(MalformedBytes):
        opened(Opener(THEIRS.receiving), stranger)
