"""Every limit on what a peer may send, in one table (after Chia's rate_limit_numbers.py)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from lc_node.chain.blocks import BLOCK_BYTES_MAX
from lc_node.chain.transactions import TRANSACTION_BYTES_MAX
from lc_node.chain.types import ByteCount, MillisSpan
from lc_node.wire.kinds import Channel, Kind

KIB: Final = 1024
MIB: Final = 1024 * KIB

CHUNK_BYTES: Final = MIB
"""How a blob is cut; lc_node.oci.chunks names blobs by the same cut."""
CHUNK_HEADER_BYTES: Final = 1 + 32 + 4
"""Kind, digest and index in front of a chunk's bytes."""
PART_CHUNKS_MAX: Final = 64
"""Chunks that a part names one by one; as many wait in memory at most."""
CHUNKS_MAX: Final = 24 * KIB
"""Chunks of the largest blob: 24 GiB."""
DATA_SECRET_BYTES: Final = 32
"""What the keys of a data connection are derived from."""
DATA_CONNECTIONS_MAX: Final = 64
"""Data connections at a time; to further peers chunks travel over their sessions."""
DATA_GREETING_MAX: Final = MillisSpan(5_000)
"""How long a data connection may take to be made and to say what it is."""
DATA_OFFER_MAX: Final = MillisSpan(60_000)
"""How long it may be until it is made: what tells of it waits behind chunks on a slow line."""
DATA_IDLE_MAX: Final = MillisSpan(60_000)
"""After so long without a chunk its dialer ends it, after three times as long the other end."""
FRAME_BYTES_MAX: Final = MIB + 4 * KIB
"""Larger frames end the connection in the transport, before they are in memory."""
WINDOW: Final = MillisSpan(10_000)
"""The span over which messages and bytes are counted."""

PEERS_MAX: Final = 64
"""Peers that have dialed us unbidden; more are refused."""
PEERS_PER_NETWORK_MAX: Final = 16
"""Of these, as many from one /16 of IPv4 or /32 of IPv6, unless it is a private network."""
DIALED_MAX: Final = 128
"""Peers that we dial besides the listed ones; and as many may dial us that we have told to welcome."""
FAILURES_MAX: Final = 1_024
"""Peers of whom we remember why there was no session."""
GUESTS_MAX: Final = 64
"""Of those who only ask, and take no part in the agreement: light clients."""
LINKS_MAX: Final = 512
"""Connections to our port known at a time, greeted or not; frames of further ones are dropped."""
RECORD_QUESTIONS: Final = 8
"""Questions for other nodes' records that one peer is answered in a window."""
NEIGHBOURS_MAX: Final = 256
"""Nodes heard by multicast; more are not listened to."""
GREETING_MAX: Final = MillisSpan(5_000)
"""How long a connection may take to greet."""
SEEN_MAX: Final = 20_000
"""Transactions remembered so that each is handled and forwarded once."""
ANNOUNCE_MAX: Final = 512
"""Transactions named in one announcement."""
TOGETHER_MAX: Final = 64
"""Transactions that travel in one frame."""
TOGETHER_BYTES: Final = ByteCount(15 * KIB)
"""What a sender puts into one frame with others; a larger transaction travels alone."""
WANT_MAX: Final = 256
"""Transactions that a peer is asked for at a time."""
ANNOUNCED_MAX: Final = 1_024
"""Transactions that a peer may announce before we have got them from it or from others."""
ANNOUNCERS_MAX: Final = 8
"""Peers remembered as having one transaction that we lack."""
UNTOLD_MAX: Final = 8_192
"""Transactions that wait to be announced to one peer; more than a mempool holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What one peer may send of one kind."""

    channel: Channel | None
    """Where it is allowed; None on both."""
    bytes_max: ByteCount
    """The longest frame, kind byte included."""
    messages: int
    """Frames in a window; of transactions, each one counts, however many share a frame."""
    bytes: ByteCount
    """Bytes in a window."""


def _limit(channel: Channel | None, bytes_max: int, messages: int, total: int) -> Limit:
    return Limit(
        channel=channel,
        bytes_max=ByteCount(bytes_max),
        messages=messages,
        bytes=ByteCount(total),
    )


# Answers (RESPONSE, BLOB, PART, NO_BLOB, CHUNK) are bounded by what we asked for: an unsolicited one is an
# offence. Their figures here only bound what a peer can make us look at.
LIMITS: Final[Mapping[Kind, Limit]] = MappingProxyType(
    {
        Kind.HELLO: _limit(None, 512, 20, 10 * KIB),
        Kind.WELCOME: _limit(None, 512, 20, 10 * KIB),
        Kind.REFUSED: _limit(None, 64, 20, 8 * KIB),
        Kind.KEEPALIVE: _limit(None, 2, 100, KIB),
        Kind.STATUS: _limit(Channel.CONSENSUS, 64, 200, 16 * KIB),
        # A proposal carries a block and the certificates that justify its parent.
        Kind.CONSENSUS: _limit(Channel.CONSENSUS, 2 * BLOCK_BYTES_MAX + 1, 20_000, 128 * MIB),
        Kind.TRANSACTIONS: _limit(Channel.BULK, TRANSACTION_BYTES_MAX + 16, 5_000, 32 * MIB),
        Kind.REQUEST: _limit(Channel.BULK, 16 * KIB, 1_000, 4 * MIB),
        Kind.RESPONSE: _limit(Channel.BULK, MIB, 1_000, 512 * MIB),
        Kind.GET_BLOB: _limit(Channel.BULK, 64, 500, 32 * KIB),
        Kind.BLOB: _limit(Channel.BULK, 33 * CHUNKS_MAX + 2 * KIB * 64, 500, 64 * MIB),
        Kind.NO_BLOB: _limit(Channel.BULK, 64, 20_000, 2 * MIB),
        Kind.GET_CHUNK: _limit(Channel.BULK, 64, 40_000, 4 * MIB),
        Kind.CHUNK: _limit(Channel.BULK, CHUNK_BYTES + CHUNK_HEADER_BYTES, 40_000, 40_000 * MIB),
        # Three heartbeats a second, and a few more for who has just come.
        Kind.ANNOUNCE: _limit(Channel.BULK, 8 + 34 * ANNOUNCE_MAX, 100, MIB),
        Kind.WANT: _limit(Channel.BULK, 8 + 34 * WANT_MAX, 200, MIB),
        Kind.PRUNE: _limit(Channel.BULK, 8, 20, KIB),
        Kind.PART: _limit(Channel.BULK, KIB, 20_000, 4 * MIB),
        Kind.GET_DATA_PORT: _limit(Channel.BULK, 8, 20, KIB),
        Kind.DATA_PORT: _limit(Channel.BULK, 64, 20, 2 * KIB),
        Kind.DATA_LOST: _limit(Channel.BULK, 8, 20, KIB),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimit:
    """How long a queue may grow before its newest entry is dropped."""

    frames: int
    """Entries of one peer."""
    bytes: ByteCount
    """Bytes of one peer."""
    bytes_all: ByteCount
    """Bytes of all peers: nobody may hold more than is left free, so that there is always room for others.

    Beyond it goes only a peer's single entry."""


def _queue(frames: int, bytes_one: int, bytes_all: int) -> QueueLimit:
    return QueueLimit(frames=frames, bytes=ByteCount(bytes_one), bytes_all=ByteCount(bytes_all))


INBOX: Final[Mapping[Channel, QueueLimit]] = MappingProxyType(
    {
        Channel.CONSENSUS: _queue(4_000, 16 * MIB, 64 * MIB),
        Channel.BULK: _queue(2_000, 48 * MIB, 192 * MIB),
    }
)
"""Received frames of peers that nobody has taken yet."""

TRANSACTIONS: Final = _queue(1_000, 8 * MIB, 32 * MIB)
"""Received transactions of peers that wait for the mempool's word."""
QUESTIONS: Final = _queue(256, MIB, 16 * MIB)
"""Requests of peers that wait for their answer; the same again for blobs and for chunks."""
RECENT_MESSAGES: Final = 10_000
"""Transactions kept, though perhaps final by now, for those to whom they were announced."""
RECENT_BYTES: Final = ByteCount(8 * MIB)
"""What these may take."""
SENDING_BYTES: Final = ByteCount(32 * MIB)
"""Bytes of large frames on their way to one peer; more are refused to the sender."""
SENDING_FRAMES: Final = 1_000
"""Frames on their way to one peer."""
LARGE_FRAME_BYTES: Final = ByteCount(16 * KIB)
"""From this size on a frame is counted by its bytes, and sent without a copy."""
TESTIMONY_BYTES: Final = ByteCount(16 * MIB)
"""Bytes of proofs that one peer may be told in a window; whoever wants more waits."""
ANSWERED_BYTES: Final = ByteCount(256 * MIB)
"""Bytes of states and blocks that one peer may be told in a window; whoever wants more waits."""
