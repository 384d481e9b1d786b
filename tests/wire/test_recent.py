"""Messages kept for who was promised them: bounded by number and by bytes."""

from lc_node.chain.types import ByteCount
from lc_node.wire.gossip import message_id
from lc_node.wire.recent import Recent


def kept(*messages: bytes, frames: int = 10, size: int = 100) -> Recent:
    """Return a store to which these were given one after the other."""
    recent = Recent(frames, ByteCount(size))
    for raw in messages:
        recent.keep(message_id(raw), raw)
    return recent


def test_a_message_is_found_by_its_name() -> None:
    assert kept(b"m").get(message_id(b"m")) == b"m"


def test_a_message_that_was_not_kept_is_not_found() -> None:
    assert kept(b"m").get(message_id(b"n")) is None


def test_the_oldest_goes_when_there_are_too_many() -> None:
    recent = kept(b"a", b"b", b"c", frames=2)

    assert len(recent) == 2
    assert recent.get(message_id(b"a")) is None


def test_the_oldest_go_when_their_bytes_are_too_many() -> None:
    recent = kept(b"a" * 40, b"b" * 40, b"c" * 90)

    assert len(recent) == 1
    assert recent.get(message_id(b"c" * 90)) is not None


def test_a_message_kept_twice_counts_once() -> None:
    assert len(kept(*[b"m" * 40] * 5)) == 1
