"""What peers say: one byte for the kind, then a canonical record or, where bytes are many, raw bytes."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeAlias

import msgspec

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ByteCount, ChainId, Digest, Height, PublicKey, Signature
from lc_node.wire.invitations import Ticket
from lc_node.wire.kinds import Channel, Kind
from lc_node.wire.limits import (
    ANNOUNCE_MAX,
    CHUNK_HEADER_BYTES,
    CHUNKS_MAX,
    DATA_SECRET_BYTES,
    LIMITS,
    PART_CHUNKS_MAX,
    TOGETHER_MAX,
    WANT_MAX,
)

PROTOCOL_VERSION: Final = 3

Frame: TypeAlias = bytes | memoryview
"""A frame. A large one is a view of memory that is used again once no view of it is left."""

_U32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Tickets = Annotated[tuple[Ticket, ...], msgspec.Meta(max_length=1)]
"""By what a node is let into a private graph, if it needs that."""
DataSecret = Annotated[
    bytes, msgspec.Meta(min_length=DATA_SECRET_BYTES, max_length=DATA_SECRET_BYTES)
]
"""What the keys of one data connection come of (``wire.data_frames``)."""
ChunkDigests = Annotated[tuple[Digest, ...], msgspec.Meta(max_length=CHUNKS_MAX)]


class Refusal(IntEnum):
    """Why there is no session."""

    OTHER_CHAIN = 1
    OTHER_VERSION = 2
    BAD_PROOF = 3
    """The node key did not sign this connection's transport key."""
    OTHER_NODE = 4
    """Somebody else answers at this address than the peer list says."""
    OWN_KEY = 5
    """It is ourselves, or another node with our key."""
    BANNED = 6
    FULL = 7
    GREET_FIRST = 8
    """A frame came before the greeting."""
    MALFORMED = 9
    NO_ANSWER = 10
    """Nothing listens there, or it does not hold the transport key of the peer list."""
    NOT_INVITED = 11
    """The graph is private, and who came showed no invitation that holds."""

    @property
    def words(self) -> str:
        """The reason as the owner reads it, with what to do where that is not plain."""
        if self is Refusal.NOT_INVITED:
            return "not invited: join by a line that `lc-node invite` prints for a member"
        return self.name.lower().replace("_", " ")


class Absence(IntEnum):
    """Why a peer does not serve a blob."""

    NOT_HERE = 1
    BUSY = 2


class Hello(Record):
    """Who dials, and the proof that the connection's transport key is its own."""

    version: _U32
    chain_id: ChainId
    channel: Channel
    node_key: PublicKey
    proof: Signature
    tickets: Tickets


class Welcome(Record):
    """Who answers, and the same proof."""

    version: _U32
    chain_id: ChainId
    channel: Channel
    node_key: PublicKey
    proof: Signature
    tickets: Tickets


class Refused(Record):
    """There is no session on this connection."""

    reason: Refusal


class Keepalive(Record):
    """Nothing but a sign of life."""


class Status(Record):
    """How far the sender's chain is finalised."""

    height: Height


class ConsensusFrame(Record):
    """A message of the agreement; lc_node.consensus reads it."""

    payload: bytes


class Transactions(Record):
    """Signed transactions, each in bytes of its own; lc_node.chain reads them."""

    raws: Annotated[tuple[bytes, ...], msgspec.Meta(min_length=1, max_length=TOGETHER_MAX)]


class Request(Record):
    """A question; ``topic`` says who reads it."""

    number: _U32
    topic: Annotated[int, msgspec.Meta(ge=0, le=255)]
    payload: bytes


class Response(Record):
    """The answer to the request of this number; not ``found`` means that there is none."""

    number: _U32
    found: bool
    payload: bytes


class GetBlob(Record):
    """Asks for what a download of this blob needs to know."""

    digest: Digest


class Blob(Record):
    """A blob that the sender has: its size and the SHA-256 of each of its chunks."""

    digest: Digest
    size: ByteCount
    chunk_digests: ChunkDigests


class Part(Record):
    """What the sender can hand on of a blob that it is fetching itself: the latest such word counts."""

    digest: Digest
    chunks_root: Digest
    """Root over the chunk digests by which the sender fetches: another's chunks are of no use to it, nor ours."""
    below: _U32
    """Every chunk before this one."""
    others: Annotated[tuple[_U32, ...], msgspec.Meta(max_length=PART_CHUNKS_MAX)]
    """And these."""


class NoBlob(Record):
    """The sender does not serve this blob, or not now."""

    digest: Digest
    absence: Absence


class GetChunk(Record):
    """Asks for a chunk of a blob."""

    digest: Digest
    index: _U32


class Chunk(Record):
    """A chunk's bytes."""

    digest: Digest
    index: _U32
    data: memoryview


class GetDataPort(Record):
    """Asks for a data connection: whoever has dialed asks."""


class DataPort(Record):
    """Where the sender takes the connection that was asked for, at the host where it was dialed."""

    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)]
    secret: DataSecret

    def __repr__(self) -> str:
        """Leave the secret out: a repr ends up in logs."""
        return f"DataPort(port={self.port})"


class DataLost(Record):
    """The data connection has ended: chunks that were asked for and have not come will not come over it."""


class Announce(Record):
    """Names transactions that the sender has, by ``wire.gossip.message_id``."""

    messages: Annotated[tuple[Digest, ...], msgspec.Meta(min_length=1, max_length=ANNOUNCE_MAX)]


class Want(Record):
    """Asks for transactions that the receiver has announced."""

    messages: Annotated[tuple[Digest, ...], msgspec.Meta(min_length=1, max_length=WANT_MAX)]


class Prune(Record):
    """Asks the receiver to announce for a while, and not to push."""


Message: TypeAlias = (
    Hello
    | Welcome
    | Refused
    | Keepalive
    | Status
    | ConsensusFrame
    | Transactions
    | Request
    | Response
    | GetBlob
    | Blob
    | Part
    | NoBlob
    | GetChunk
    | Chunk
    | Announce
    | Want
    | Prune
    | GetDataPort
    | DataPort
    | DataLost
)

RECORDS: Final[Mapping[Kind, type[Record]]] = MappingProxyType(
    {
        Kind.HELLO: Hello,
        Kind.WELCOME: Welcome,
        Kind.REFUSED: Refused,
        Kind.KEEPALIVE: Keepalive,
        Kind.STATUS: Status,
        Kind.CONSENSUS: ConsensusFrame,
        Kind.TRANSACTIONS: Transactions,
        Kind.REQUEST: Request,
        Kind.RESPONSE: Response,
        Kind.GET_BLOB: GetBlob,
        Kind.BLOB: Blob,
        Kind.NO_BLOB: NoBlob,
        Kind.GET_CHUNK: GetChunk,
        Kind.CHUNK: Chunk,
        Kind.ANNOUNCE: Announce,
        Kind.WANT: Want,
        Kind.PRUNE: Prune,
        Kind.PART: Part,
        Kind.GET_DATA_PORT: GetDataPort,
        Kind.DATA_PORT: DataPort,
        Kind.DATA_LOST: DataLost,
    }
)
_KINDS: Final = {record: kind for kind, record in RECORDS.items()}
_KIND_OF: Final = {kind.value: kind for kind in Kind}
"""By the first byte of a frame; a look-up, for every frame is asked several times."""


def _decoder(kind: Kind, record: type[Record]) -> Decoder[Record]:
    return Decoder(record, what=record.__name__, bytes_max=LIMITS[kind].bytes_max - 1)


_DECODERS: Final = {
    kind: _decoder(kind, record)
    for kind, record in RECORDS.items()
    if kind not in {Kind.CONSENSUS, Kind.CHUNK}
}


def kind_of(frame: Frame) -> Kind:
    """Return what kind a frame claims to be, checked against the kind's size.

    Raises:
        MalformedBytes: it is empty, of no known kind, or too long for its kind.
    """
    kind = _KIND_OF.get(frame[0]) if frame else None
    if kind is None:
        raise MalformedBytes("frame", "no known kind")
    if len(frame) > LIMITS[kind].bytes_max:
        raise MalformedBytes(kind.name, f"{len(frame)} bytes exceed {LIMITS[kind].bytes_max}")
    return kind


def encode_message(message: Message) -> bytes:
    """Return the frame that carries a message."""
    kind = _KINDS[type(message)]
    head = bytes((kind,))
    if isinstance(message, ConsensusFrame):
        return head + message.payload
    if isinstance(message, Chunk):
        return b"".join((chunk_header(message.digest, message.index), message.data))
    return head + encode(message)


def decode_message(frame: Frame) -> Message:
    """Return the message in a frame; a chunk's bytes stay where they are, in the frame.

    Raises:
        MalformedBytes: the frame is not one that ``encode_message`` writes.
    """
    kind = kind_of(frame)
    if kind is Kind.CHUNK:
        return _decode_chunk(memoryview(frame))
    body = bytes(frame[1:])
    if kind is Kind.CONSENSUS:
        return ConsensusFrame(payload=body)
    # The table pairs each kind with its own record, which the type checker cannot follow.
    message: Any = _DECODERS[kind].decode(body)
    return message  # type: ignore[no-any-return]  # see above


def chunk_header(blob: Digest, index: int) -> bytes:
    """Return what precedes a chunk's bytes: fixed width, so that they are read in place."""
    return b"".join((bytes((Kind.CHUNK,)), blob, index.to_bytes(4, "big")))


def _decode_chunk(frame: memoryview) -> Chunk:
    if len(frame) <= CHUNK_HEADER_BYTES:
        raise MalformedBytes("CHUNK", "no bytes of the chunk")
    return Chunk(
        digest=Digest(bytes(frame[1:33])),
        index=int.from_bytes(frame[33:CHUNK_HEADER_BYTES], "big"),
        data=frame[CHUNK_HEADER_BYTES:],
    )
