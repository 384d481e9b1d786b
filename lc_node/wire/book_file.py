"""What is kept of an address book over a restart, as bytes that show whether they are whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import digest
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ChainId, Digest, Millis, PublicKey
from lc_node.wire.address_book import AddressBook, Shelf
from lc_node.wire.book_table import BUCKET_SIZE, NEW_BUCKETS, TRIED_BUCKETS
from lc_node.wire.endpoints import Endpoint, Group, Host
from lc_node.wire.known import Known
from lc_node.wire.outbound import ANCHORS_MAX
from lc_node.wire.records import ENDPOINTS_MAX, RECORD_BYTES_MAX, SignedRecord

_NODES_MAX: Final = BUCKET_SIZE * (NEW_BUCKETS + TRIED_BUCKETS)
BOOK_BYTES_MAX: Final = 2 * RECORD_BYTES_MAX * _NODES_MAX
"""The largest file."""
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a node remembers of its peers."""

    book: AddressBook
    anchors: Sequence[PublicKey]
    """Whom it was connected to, by its own choice."""
    sequence: Millis
    """That of its last own record."""


class _KeptNode(Record):
    signed: SignedRecord
    endpoints: Annotated[
        tuple[Endpoint, ...], msgspec.Meta(min_length=1, max_length=ENDPOINTS_MAX)
    ]
    host: Host
    source: Annotated[bytes, msgspec.Meta(max_length=16)]
    failures: Annotated[int, msgspec.Meta(ge=0)]
    attempted: Millis
    succeeded: Millis
    is_tried: bool


class _KeptBook(Record):
    chain_id: ChainId
    secret: Digest
    anchors: Annotated[tuple[PublicKey, ...], msgspec.Meta(max_length=ANCHORS_MAX)]
    sequence: Millis
    nodes: Annotated[tuple[_KeptNode, ...], msgspec.Meta(max_length=_NODES_MAX)]


_DECODER: Final = Decoder(_KeptBook, what="address book", bytes_max=BOOK_BYTES_MAX)


def dump_book(kept: Kept, chain_id: ChainId) -> bytes:
    """Return the bytes of a book."""
    book = _KeptBook(
        chain_id=chain_id,
        secret=kept.book.secret,
        anchors=tuple(kept.anchors),
        sequence=kept.sequence,
        nodes=tuple(_kept(shelf) for shelf in kept.book.shelves()),
    )
    data = encode(book)
    return _checksum(data) + data


def load_book(data: bytes, chain_id: ChainId) -> Kept:
    """Return the book in these bytes. Signatures were checked before it was written.

    Raises:
        MalformedBytes: they are damaged, or are a book of another chain.
    """
    checksum, data = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if _checksum(data) != checksum:
        raise MalformedBytes("address book", "the checksum is not that of the bytes")
    kept = _DECODER.decode(data)
    if kept.chain_id != chain_id:
        raise MalformedBytes("address book", "it is of another chain")
    book = AddressBook(kept.secret, (_shelf(node) for node in kept.nodes))
    return Kept(book=book, anchors=kept.anchors, sequence=kept.sequence)


def _checksum(data: bytes) -> Digest:
    return digest("lc/book-file/1", data)


def _kept(shelf: Shelf) -> _KeptNode:
    known = shelf.known
    return _KeptNode(
        signed=known.signed,
        endpoints=known.endpoints,
        host=known.host,
        source=known.source,
        failures=known.failures,
        attempted=known.attempted,
        succeeded=known.succeeded,
        is_tried=shelf.is_tried,
    )


def _shelf(node: _KeptNode) -> Shelf:
    known = Known(
        signed=node.signed,
        endpoints=node.endpoints,
        host=node.host,
        source=Group(node.source),
        failures=node.failures,
        attempted=node.attempted,
        succeeded=node.succeeded,
    )
    return Shelf(known=known, is_tried=node.is_tried)
