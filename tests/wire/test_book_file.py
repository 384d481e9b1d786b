"""The address book as bytes: whole, damaged, another chain's."""

import pytest

from lc_node.chain.crypto import sha256
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ChainId, Millis
from lc_node.wire.book_file import Kept, dump_book, load_book
from tests.wire.book_people import NOW, SECRET, crowd, host, key, record

CHAIN = ChainId(sha256(b"a chain"))


def kept() -> Kept:
    book = crowd(100, reached=30)
    book.add(record(500, "2001:db8::1", "node.example"), host(9), NOW)
    book.attempt(key(50), NOW)
    return Kept(book=book, anchors=(key(1), key(2)), sequence=Millis(77))


def test_a_book_survives_the_disk() -> None:
    one = kept()
    again = load_book(dump_book(one, CHAIN), CHAIN)

    assert again.book.shelves() == one.book.shelves()
    assert again.book.secret == SECRET
    assert (again.anchors, again.sequence) == (one.anchors, one.sequence)


@pytest.mark.parametrize("at", [0, 31, 32, 500, -1])
def test_a_damaged_book_is_noticed(at: int) -> None:
    data = bytearray(dump_book(kept(), CHAIN))
    data[at] ^= 1

    with pytest.raises(MalformedBytes, match="checksum"):
        load_book(bytes(data), CHAIN)


@pytest.mark.parametrize("length", [0, 20, 32, 5_000])
def test_a_book_that_was_cut_off_is_noticed(length: int) -> None:
    with pytest.raises(MalformedBytes):
        load_book(dump_book(kept(), CHAIN)[:length], CHAIN)


def test_a_book_of_another_chain_is_not_used() -> None:
    with pytest.raises(MalformedBytes, match="another chain"):
        load_book(dump_book(kept(), CHAIN), ChainId(sha256(b"another chain")))
