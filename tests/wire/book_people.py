"""Nodes for tests of the address book: many keys, any hosts, no signatures, which the book does not look at."""

from lc_node.chain.crypto import sha256
from lc_node.chain.types import ChainId, Digest, Millis, PublicKey, Signature
from lc_node.wire.address_book import AddressBook
from lc_node.wire.book_table import tried_place
from lc_node.wire.endpoints import Endpoint, Host, Port, group_of
from lc_node.wire.known import Draw
from lc_node.wire.records import NodeRecord, SignedRecord
from lc_node.wire.session import TransportKey

NOW = Millis(1_800_000_000_000)
MINUTE = 60_000
SECRET = Digest(sha256(b"secret"))
TELLER = Host("9.9.9.9")


def key(number: int) -> PublicKey:
    return PublicKey(sha256(b"node" + number.to_bytes(4, "big")))


def host(number: int) -> Host:
    """Return a host of a network of its own."""
    return Host(f"{20 + number // 256}.{number % 256}.1.1")


def record(number: int, *hosts: str, sequence: int = NOW) -> SignedRecord:
    return SignedRecord(
        record=NodeRecord(
            chain_id=ChainId(sha256(b"a chain")),
            node_key=key(number),
            transport_key=TransportKey(bytes(32)),
            endpoints=tuple(
                Endpoint(host=Host(one), port=Port(4040)) for one in hosts or (host(number),)
            ),
            sequence=Millis(sequence),
        ),
        signature=Signature(bytes(64)),
    )


def away(number: int, sequence: int = NOW) -> SignedRecord:
    """Return the record of a node that only dials out."""
    made = record(number, sequence=sequence)
    bare = NodeRecord(
        chain_id=made.record.chain_id,
        node_key=made.record.node_key,
        transport_key=made.record.transport_key,
        endpoints=(),
        sequence=made.record.sequence,
    )
    return SignedRecord(record=bare, signature=made.signature)


def book_of(*numbers: int) -> AddressBook:
    """Return a book that has heard of these, each from a teller of its own."""
    book = AddressBook(SECRET)
    for number in numbers:
        assert book.add(record(number), host(5_000 + number), NOW)
    return book


def crowd(count: int, *, reached: int) -> AddressBook:
    """Return a book that has heard of about so many, and has reached about so many of them."""
    book = AddressBook(SECRET)
    for number in range(count):
        book.add(record(number), host(5_000 + number), NOW)
    for number in range(reached):
        book.good(key(number), host(number), NOW)
    return book


def first(_below: int) -> int:
    """Draw the lowest number, always."""
    return 0


def drawing(*numbers: int) -> Draw:
    """Draw these, and then the lowest, always."""
    left = list(numbers)
    return lambda below: left.pop(0) % below if left else 0


def same_tried_place(count: int) -> list[int]:
    """Return numbers of nodes that contend for one place among those that were reached."""
    by_place: dict[object, list[int]] = {}
    for number in range(200_000):
        place = tried_place(SECRET, key(number), group_of(host(number)))
        found = by_place.setdefault(place, [])
        found.append(number)
        if len(found) == count:
            return found
    raise AssertionError
