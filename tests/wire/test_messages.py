"""Frames: what we write we read back, and whatever else comes only ever is malformed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ByteCount, ChainId, Digest, Height, Millis, PublicKey, Signature
from lc_node.oci import chunks
from lc_node.wire.invitations import Invitation, Ticket
from lc_node.wire.kinds import Channel, Kind
from lc_node.wire.limits import (
    ANNOUNCE_MAX,
    CHUNK_BYTES,
    CHUNKS_MAX,
    DATA_SECRET_BYTES,
    FRAME_BYTES_MAX,
    LIMITS,
    PART_CHUNKS_MAX,
    WANT_MAX,
)
from lc_node.wire.messages import (
    PROTOCOL_VERSION,
    RECORDS,
    Absence,
    Announce,
    Blob,
    Chunk,
    ConsensusFrame,
    DataLost,
    DataPort,
    GetBlob,
    GetChunk,
    GetDataPort,
    Hello,
    Keepalive,
    Message,
    NoBlob,
    Part,
    Prune,
    Refusal,
    Refused,
    Request,
    Response,
    Status,
    Transactions,
    Want,
    Welcome,
    decode_message,
    encode_message,
    kind_of,
)

DIGEST = Digest(bytes(range(32)))
TICKET = Ticket(
    invitation=Invitation(
        inviter=PublicKey(DIGEST),
        guest=PublicKey(DIGEST),
        until=Millis(2**63 - 1),
        signature=Signature(bytes(64)),
    ),
    claim=Signature(bytes(64)),
)
"""As long as one can be: the greeting that carries it must still fit its limit."""


def greeting(kind: type[Hello] | type[Welcome]) -> Hello | Welcome:
    return kind(
        version=PROTOCOL_VERSION,
        chain_id=ChainId(DIGEST),
        channel=Channel.BULK,
        node_key=PublicKey(bytes(32)),
        proof=Signature(bytes(64)),
        tickets=(TICKET,),
    )


ONE_OF_EACH: tuple[Message, ...] = (
    greeting(Hello),
    greeting(Welcome),
    Refused(reason=Refusal.FULL),
    Keepalive(),
    Status(height=Height(5)),
    ConsensusFrame(payload=b"vote"),
    Transactions(raws=(b"transfer",)),
    Request(number=1, topic=2, payload=b"from 5"),
    Response(number=1, found=True, payload=b"blocks"),
    GetBlob(digest=DIGEST),
    Blob(digest=DIGEST, size=ByteCount(3), chunk_digests=(DIGEST,)),
    NoBlob(digest=DIGEST, absence=Absence.BUSY),
    GetChunk(digest=DIGEST, index=7),
    Chunk(digest=DIGEST, index=7, data=memoryview(b"bytes")),
    Announce(messages=(DIGEST,)),
    Want(messages=(DIGEST,)),
    Prune(),
    Part(
        digest=DIGEST,
        chunks_root=DIGEST,
        below=2**32 - 1,
        others=tuple(range(2**32 - PART_CHUNKS_MAX, 2**32)),
    ),
    GetDataPort(),
    DataPort(port=65_535, secret=bytes(DATA_SECRET_BYTES)),
    DataLost(),
)


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda one: type(one).__name__)
def test_a_message_is_read_back_as_it_was_written(message: Message) -> None:
    assert decode_message(encode_message(message)) == message


def test_there_is_an_example_of_every_kind() -> None:
    assert [type(message) for message in ONE_OF_EACH] == list(RECORDS.values())
    assert list(RECORDS) == list(Kind)


def test_every_kind_has_a_limit_that_the_transport_lets_through() -> None:
    assert list(LIMITS) == list(Kind)
    assert max(limit.bytes_max for limit in LIMITS.values()) <= FRAME_BYTES_MAX


def test_blobs_are_cut_as_their_names_are_made() -> None:
    assert chunks.CHUNK_BYTES == CHUNK_BYTES


def test_the_description_of_the_largest_blob_fits_its_limit() -> None:
    blob = Blob(
        digest=DIGEST,
        size=ByteCount(CHUNKS_MAX * CHUNK_BYTES),
        chunk_digests=tuple(DIGEST for _ in range(CHUNKS_MAX)),
    )

    assert decode_message(encode_message(blob)) == blob


def test_the_longest_lists_of_names_fit_their_limits() -> None:
    for longest in (
        Announce(messages=(DIGEST,) * ANNOUNCE_MAX),
        Want(messages=(DIGEST,) * WANT_MAX),
    ):
        assert decode_message(encode_message(longest)) == longest


@pytest.mark.parametrize("kind", [Announce, Want])
def test_a_list_of_no_names_is_malformed(kind: type[Announce] | type[Want]) -> None:
    with pytest.raises(MalformedBytes):
        decode_message(encode_message(kind(messages=())))


@pytest.mark.parametrize("kind", Kind)
def test_a_frame_over_the_limit_of_its_kind_is_malformed(kind: Kind) -> None:
    with pytest.raises(MalformedBytes, match="exceed"):
        kind_of(bytes((kind,)) + bytes(LIMITS[kind].bytes_max))


@pytest.mark.parametrize("frame", [b"", b"\x00", b"\xff", bytes((len(Kind) + 1,))])
def test_a_frame_of_no_known_kind_is_malformed(frame: bytes) -> None:
    with pytest.raises(MalformedBytes, match="no known kind"):
        decode_message(frame)


def test_a_chunk_without_bytes_is_malformed() -> None:
    with pytest.raises(MalformedBytes):
        decode_message(encode_message(Chunk(digest=DIGEST, index=0, data=memoryview(b"x")))[:-1])


@settings(max_examples=100)
@given(kind=st.sampled_from(Kind), body=st.binary(max_size=200))
def test_any_bytes_are_either_malformed_or_what_we_would_write(kind: Kind, body: bytes) -> None:
    frame = bytes((kind,)) + body
    try:
        message = decode_message(frame)
    except MalformedBytes:
        return
    assert encode_message(message) == frame


@settings(max_examples=100)
@given(
    message=st.sampled_from(ONE_OF_EACH),
    at=st.integers(min_value=0),
    byte=st.integers(min_value=0, max_value=255),
)
def test_a_changed_byte_is_noticed_or_means_another_message(
    message: Message, at: int, byte: int
) -> None:
    frame = bytearray(encode_message(message))
    frame[at % len(frame)] = byte
    try:
        read = decode_message(bytes(frame))
    except MalformedBytes:
        return
    assert encode_message(read) == bytes(frame)


def test_a_refusal_is_shown_in_words() -> None:
    assert Refusal.OTHER_CHAIN.words == "other chain"


def test_a_chunks_bytes_stay_in_the_frame_that_brought_them() -> None:
    frame = encode_message(Chunk(digest=DIGEST, index=7, data=memoryview(b"bytes")))

    chunk = decode_message(frame)

    assert isinstance(chunk, Chunk)
    assert chunk.data.obj is frame


def test_the_secret_of_a_data_port_is_not_shown() -> None:
    assert repr(DataPort(port=7, secret=b"s" * DATA_SECRET_BYTES)) == "DataPort(port=7)"
