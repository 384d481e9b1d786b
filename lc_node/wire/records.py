"""Node records: what a node signs about itself so that others can pass it on."""

from enum import Enum, auto
from typing import Annotated, Final

import msgspec

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import Signer, digest, verify
from lc_node.chain.types import ChainId, Digest, Millis, MillisSpan, PublicKey, Signature
from lc_node.wire.endpoints import Endpoint, Host, Port, Reach, is_host, reach_of
from lc_node.wire.session import TransportKey

ENDPOINTS_MAX: Final = 4
"""Where one node is reached: one or two addresses of each kind."""
RECORDS_MAX: Final = 32
"""Records in one answer."""
RECORD_BYTES_MAX: Final = 2_048
"""The longest signed record."""
LIFETIME: Final = MillisSpan(14 * 24 * 3_600 * 1_000)
"""A record that was signed longer ago is not believed any more; nodes sign a new one every few hours."""
AHEAD_MAX: Final = MillisSpan(3_600 * 1_000)
"""How far the clock of who signed may be ahead of ours."""


class NodeRecord(Record):
    """Who a node is and where it is reached."""

    chain_id: ChainId
    node_key: PublicKey
    transport_key: TransportKey
    endpoints: Annotated[tuple[Endpoint, ...], msgspec.Meta(max_length=ENDPOINTS_MAX)]
    """The best first; none if the node only dials out."""
    sequence: Millis
    """When it was signed, by the node's clock; of two records of a node the one with the higher counts."""


class SignedRecord(Record):
    """A record and the node key's signature over it."""

    record: NodeRecord
    signature: Signature


class AskRecords(Record):
    """The question of ``Topic.RECORDS``: who asks says where it is reached itself."""

    own: SignedRecord


class TellRecords(Record):
    """The answer: where who asked comes from, and some records, the answering node's own first."""

    you: Annotated[str, msgspec.Meta(max_length=64)]
    """The network address that the question came from."""
    records: Annotated[tuple[SignedRecord, ...], msgspec.Meta(max_length=RECORDS_MAX)]


class RecordFault(Enum):
    """Why a record is of no use."""

    OTHER_CHAIN = auto()
    BAD_ENDPOINT = auto()
    """Not a host as we write it, one that nobody can dial, or one twice."""
    EXPIRED = auto()
    FROM_THE_FUTURE = auto()
    BAD_SIGNATURE = auto()

    @property
    def is_offence(self) -> bool:
        """Whether no honest peer, which checks records too, would have passed it on."""
        return self not in {RecordFault.EXPIRED, RecordFault.FROM_THE_FUTURE}


RECORD_DECODER: Final = Decoder(SignedRecord, what="SignedRecord", bytes_max=RECORD_BYTES_MAX)
ASK_DECODER: Final = Decoder(AskRecords, what="AskRecords", bytes_max=RECORD_BYTES_MAX + 8)
TELL_DECODER: Final = Decoder(
    TellRecords, what="TellRecords", bytes_max=RECORDS_MAX * RECORD_BYTES_MAX + 128
)


def record_message(record: NodeRecord) -> Digest:
    """Return what a node key signs to stand for a record."""
    return digest("lc/record/1", record.chain_id, encode(record))


def sign_record(record: NodeRecord, signer: Signer) -> SignedRecord:
    """Return the record with its node's signature."""
    return SignedRecord(record=record, signature=signer.sign(record_message(record)))


def fault_of(signed: SignedRecord, chain_id: ChainId, now: Millis) -> RecordFault | None:
    """Return what is wrong with a record, None if nothing is; what is cheap to see comes first."""
    record = signed.record
    if record.chain_id != chain_id:
        return RecordFault.OTHER_CHAIN
    if not _are_endpoints(record.endpoints):
        return RecordFault.BAD_ENDPOINT
    if record.sequence + LIFETIME < now:
        return RecordFault.EXPIRED
    if record.sequence > now + AHEAD_MAX:
        return RecordFault.FROM_THE_FUTURE
    if not verify(record.node_key, record_message(record), signed.signature):
        return RecordFault.BAD_SIGNATURE
    return None


def next_sequence(last: Millis, now: Millis) -> Millis:
    """Return the sequence of a new record: the time, but above the last one if the clock was set back.

    If it was far ahead before, nobody has believed the last one, nor would believe one above it.
    """
    return now if last > now + AHEAD_MAX else Millis(max(last + 1, now))


def endpoint(host: str, port: int) -> Endpoint | None:
    """Return an endpoint for a record, None if nobody could dial it."""
    if not (is_host(host) and reach_of(host) is not Reach.NOWHERE and 0 < port < 2**16):
        return None
    return Endpoint(host=Host(host), port=Port(port))


def _are_endpoints(endpoints: tuple[Endpoint, ...]) -> bool:
    are_dialable = all(
        is_host(one.host) and reach_of(one.host) is not Reach.NOWHERE for one in endpoints
    )
    return are_dialable and len(set(endpoints)) == len(endpoints)
