"""Transactions that share a frame: in order, and no more than a frame takes."""

from hypothesis import given
from hypothesis import strategies as st

from lc_node.chain.transactions import TRANSACTION_BYTES_MAX
from lc_node.wire.gossip import message_id
from lc_node.wire.limits import LARGE_FRAME_BYTES, TOGETHER_BYTES, TOGETHER_MAX
from lc_node.wire.messages import Transactions, decode_message, encode_message
from lc_node.wire.together import Named, together


def named(raw: bytes) -> Named:
    return message_id(raw), raw


def frame_of(batch: tuple[Named, ...]) -> bytes:
    return encode_message(Transactions(raws=tuple(raw for _, raw in batch)))


def test_a_frame_takes_so_many_and_the_next_one_the_rest() -> None:
    many = [named(number.to_bytes(2, "big")) for number in range(TOGETHER_MAX + 3)]

    assert list(map(len, together(many))) == [TOGETHER_MAX, 3]


def test_a_large_transaction_travels_alone() -> None:
    small, large = named(b"transfer"), named(bytes(TRANSACTION_BYTES_MAX))

    assert list(together([small, large, small])) == [(small,), (large,), (small,)]


def test_nothing_makes_no_frame() -> None:
    assert list(together([])) == []


def test_the_largest_transaction_fits_its_frame() -> None:
    (batch,) = together([named(bytes(TRANSACTION_BYTES_MAX))])

    assert decode_message(frame_of(batch)) == Transactions(raws=(batch[0][1],))


@given(sizes=st.lists(st.integers(0, TOGETHER_BYTES), max_size=3 * TOGETHER_MAX))
def test_nothing_is_lost_and_what_travels_together_is_sent_as_a_small_frame(
    sizes: list[int],
) -> None:
    messages = [named(bytes(size)) for size in sizes]
    batches = list(together(messages))

    assert [one for batch in batches for one in batch] == messages
    assert all(len(frame_of(batch)) < LARGE_FRAME_BYTES for batch in batches)
