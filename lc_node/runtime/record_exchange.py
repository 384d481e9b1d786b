"""Records from peer to peer: what we ask for, what we tell, what we believe."""

import logging
from typing import Final, Protocol

from lc_node.chain.codec import encode
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ChainId, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.transport import Connection, Transport
from lc_node.runtime.own_record import OwnRecord
from lc_node.runtime.questions import PeerSilent
from lc_node.wire.address_book import AddressBook
from lc_node.wire.endpoints import Host, is_host
from lc_node.wire.known import Draw
from lc_node.wire.limits import RECORD_QUESTIONS
from lc_node.wire.rate import Bucket
from lc_node.wire.records import (
    ASK_DECODER,
    RECORDS_MAX,
    TELL_DECODER,
    AskRecords,
    SignedRecord,
    TellRecords,
    fault_of,
)
from lc_node.wire.score import Offence
from lc_node.wire.topics import Topic

_log = logging.getLogger(__name__)

_ALLOWANCES_MAX: Final = 1_024


class Peers(Protocol):
    """Whoever carries questions to peers (``runtime.network.Network``)."""

    async def request(self, to: PublicKey, topic: int, payload: bytes) -> bytes | None:
        """Ask a peer; return its answer, None if it has none."""
        ...

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        """Count an offence of a peer."""
        ...


class RecordExchange:
    """Feeds the book with what peers tell, and tells them some of it."""

    def __init__(  # noqa: PLR0913  # one argument a collaborator
        self,
        *,
        chain_id: ChainId,
        own: OwnRecord,
        book: AddressBook,
        peers: Peers,
        transport: Transport,
        clock: Clock,
        draw: Draw,
    ) -> None:
        """Exchange records of one chain."""
        self._chain_id = chain_id
        self._own = own
        self._book = book
        self._peers = peers
        self._transport = transport
        self._clock = clock
        self._draw = draw
        self._allowances: dict[PublicKey, Bucket] = {}

    async def ask(self, peer: PublicKey) -> bool:
        """Ask a peer for records, with our own in the question, and take what it tells.

        Returns:
            False if it did not answer, as when its second channel is not up yet.
        """
        question = encode(AskRecords(own=self._own.current()))
        try:
            answer = await self._peers.request(peer, Topic.RECORDS, question)
            told = None if answer is None else TELL_DECODER.decode(answer)
        except PeerSilent:
            return False
        except MalformedBytes:
            self._peers.offend(peer, Offence.MALFORMED)
            return True
        connection = self._connection(peer)
        if told is not None and connection is not None:
            self._hear(told, connection)
        return True

    async def answer(self, peer: PublicKey, payload: bytes) -> bytes | None:
        """Take the record of who asks, and tell some others (``runtime.answers.Answerer``)."""
        connection = self._connection(peer)
        if connection is None or not self._may_ask(peer):
            return None
        try:
            asked = ASK_DECODER.decode(payload)
        except MalformedBytes:
            self._peers.offend(peer, Offence.MALFORMED)
            return None
        if asked.own.record.node_key != peer:
            self._peers.offend(peer, Offence.REJECTED)
            return None
        self._take(asked.own, peer, Host(connection.host))
        sample = self._book.sample(self._draw, RECORDS_MAX - 1, self._clock.now())
        others = (one for one in sample if one.record.node_key != peer)
        records = (self._own.current(), *self._later(asked.own), *others)
        return encode(TellRecords(you=connection.host, records=records[:RECORDS_MAX]))

    def _later(self, shown: SignedRecord) -> tuple[SignedRecord, ...]:
        """Return a later record of who asks than it has shown: it has forgotten it, and has to outbid it."""
        known = self._book.get(shown.record.node_key)
        is_later = known is not None and known.signed.record.sequence > shown.record.sequence
        return (known.signed,) if known is not None and is_later else ()

    def _hear(self, told: TellRecords, connection: Connection) -> None:
        if connection.is_outbound and is_host(told.you):
            self._own.seen_as(told.you, connection.host)
        for signed in told.records:
            if not self._take(signed, connection.peer, Host(connection.host)):
                return

    def _take(self, signed: SignedRecord, peer: PublicKey, teller: Host) -> bool:
        """Take a record from a peer; return False if no honest one would have told it."""
        record, now = signed.record, self._clock.now()
        is_own = record.node_key == self._own.current().record.node_key
        known = self._book.get(record.node_key)
        if known is not None and known.signed.record.sequence >= record.sequence:
            return True
        if is_own and record.sequence <= self._own.sequence:
            return True
        fault = fault_of(signed, self._chain_id, now)
        if fault is not None:
            _log.debug("peer %s told a record: %s", peer.hex()[:8], fault.name)
            if fault.is_offence:
                self._peers.offend(peer, Offence.REJECTED)
            return not fault.is_offence
        if is_own:
            self._own.outbid(Millis(record.sequence))
        else:
            self._book.add(signed, teller, now)
        return True

    def _may_ask(self, peer: PublicKey) -> bool:
        now = self._clock.now()
        allowance = self._allowances.pop(peer, None) or Bucket(RECORD_QUESTIONS, now)
        self._allowances[peer] = allowance  # last in the order: used most recently
        if len(self._allowances) > _ALLOWANCES_MAX:
            del self._allowances[next(iter(self._allowances))]
        allowance.refill(now)
        if not allowance.has(1):
            return False
        allowance.take(1)
        return True

    def _connection(self, peer: PublicKey) -> Connection | None:
        found = (one for one in self._transport.connections() if one.peer == peer and one.is_up)
        return next(found, None)
