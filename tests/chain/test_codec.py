"""One encoding for each value: what we would not have written ourselves is refused."""

import pytest

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import Height


class Pair(Record):
    """Something small to encode."""

    height: Height
    name: str


DECODER = Decoder(Pair, what="pair", bytes_max=16)
PAIR = Pair(height=Height(7), name="seven")


def test_a_value_is_decoded_as_it_was() -> None:
    assert DECODER.decode(encode(PAIR)) == PAIR


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("exceed 16", encode(Pair(height=Height(7), name="a long name of it"))),
        ("not the canonical", b"\x92\xcd\x00\x07\xa5seven"),
        ("truncated", encode(PAIR)[:-1]),
        ("trailing", encode(PAIR) + b"\x00"),
        ("length", encode([7])),
        ("length", encode([7, "seven", 0])),
        (">= 0", encode([-1, "seven"])),
        ("utf-8", b"\x92\x07\xa1\xff"),
    ],
)
def test_other_bytes_are_refused_with_the_reason(why: str, data: bytes) -> None:
    with pytest.raises(MalformedBytes, match=why) as caught:
        DECODER.decode(data)
    assert caught.value.what == "pair"
