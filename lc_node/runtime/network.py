"""Our side of the conversation with peers: who they are, what they may say, who hears it."""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lc_node.adapters.inbox import Inbox
from lc_node.chain.addresses import encode_address
from lc_node.chain.errors import MalformedBytes
from lc_node.chain.types import ByteCount, Digest, Height, Millis, MillisSpan, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.stores import BlobStore, Naming
from lc_node.ports.transport import Channel, Inbound, Refusal, Transport
from lc_node.runtime.blob_exchange import UNLIMITED, BlobExchange, BlobUnavailable, Progress
from lc_node.runtime.peer_accounts import PeerAccounts
from lc_node.runtime.questions import PeerSilent, Questions
from lc_node.runtime.spreading import Gossip, Judge, Spreading
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import LIMITS, QUESTIONS
from lc_node.wire.messages import (
    Announce,
    Blob,
    Chunk,
    ConsensusFrame,
    DataLost,
    DataPort,
    Frame,
    GetBlob,
    GetChunk,
    GetDataPort,
    Message,
    NoBlob,
    Part,
    Prune,
    Request,
    Response,
    Status,
    Transactions,
    Want,
    decode_message,
    encode_message,
    kind_of,
)
from lc_node.wire.score import Offence, Verdict

__all__ = ["BlobUnavailable", "Handlers", "Network", "PeerInfo", "PeerSilent", "Verdict"]

_log = logging.getLogger(__name__)

_STATUS_SECONDS: Final = 2.0
_AT_ONCE_MAX: Final = 128  # more than the transport takes at once, so that nothing piles up
_ANSWERERS: Final = 2
_REQUEST_SPAN: Final = MillisSpan(10_000)


class Handlers(Judge, Protocol):
    """Who hears what peers say. A handler that raises ends the network, and with it the node."""

    def on_consensus(self, peer: PublicKey, payload: bytes) -> Verdict:
        """Take a message of the agreement; REJECT counts against the peer."""
        ...

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        """Answer a question of a peer, None if there is nothing to say."""
        ...

    def on_peer(self, peer: PublicKey, *, is_up: bool) -> None:
        """Hear that a peer's session has begun or ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerInfo:
    """What the owner is shown of a peer."""

    peer: PublicKey
    address: str
    is_up: bool
    is_outbound: bool
    """Whether we have dialed it, not it us."""
    is_listed: bool
    """Whether the owner has listed it."""
    refusal: Refusal | None
    """Why there is no session."""
    height: Height | None
    """How far its chain is, as it says."""
    heard: Millis | None
    """When it last said anything."""
    score: int
    """Points of misbehaviour; at 1,000 it is banned for ten minutes."""
    since: Millis
    bytes_in: ByteCount
    bytes_out: ByteCount


class Network:
    """Peers, behind one object: send to them, fetch from them, and hear them through handlers."""

    def __init__(
        self,
        *,
        me: PublicKey,
        transport: Transport,
        clock: Clock,
        blobs: BlobStore,
        height: Callable[[], Height],
        upload: ByteCount = UNLIMITED,
    ) -> None:
        """Prepare; nothing happens before ``run``. ``height`` is that of the last final block.

        ``upload`` is how many bytes of blobs a second all peers together are sent.
        """
        self.me: Final = me
        self._transport = transport
        self._clock = clock
        self._height = height
        self._accounts: Final = PeerAccounts()
        self.verdicts: Final[Counter[Verdict]] = Counter()
        """What became of peers' messages of the agreement, for the metrics."""
        self._spreading: Final = Spreading(me, self, clock, secrets.randbelow)
        self._requests: Final = Inbox[Request](QUESTIONS)
        self._questions: Final = Questions(self.tell)
        self._blobs: Final = BlobExchange(blobs, self, clock, upload)
        self._banned: set[PublicKey] = set()
        self._up: frozenset[PublicKey] = frozenset()
        self._handlers: Handlers | None = None

    async def run(self, handlers: Handlers) -> None:
        """Talk with peers until cancelled; the transport runs beside it."""
        self._handlers = handlers
        async with asyncio.TaskGroup() as tasks:
            for channel in Channel:
                tasks.create_task(self._listen(channel, handlers))
            tasks.create_task(self._spreading.run(handlers))
            for _ in range(_ANSWERERS):
                tasks.create_task(self._answer_requests(handlers))
            tasks.create_task(self._blobs.run())
            tasks.create_task(self._watch_peers(handlers))
            tasks.create_task(self._keep_house())

    @property
    def connected(self) -> tuple[PublicKey, ...]:
        """The peers with a session, sorted by key."""
        return self._transport.peers

    def send_consensus(self, to: PublicKey | None, payload: bytes) -> int:
        """Send a message of the agreement to one peer or (None) to all; return how many took it."""
        frame = encode_message(ConsensusFrame(payload=payload))
        receivers = self.connected if to is None else (to,)
        return sum(self._transport.send(peer, Channel.CONSENSUS, frame) for peer in receivers)

    def broadcast_transaction(self, raw: bytes) -> int:
        """Send a transaction to every peer not known to have it; return how many took it."""
        if self._handlers is not None:
            self._note_changes(self._handlers)
        return self._spreading.broadcast(raw)

    def some_of(self, peers: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Return a few of the peers, mostly the same ones: whom news are pushed to."""
        return self._spreading.some_of(peers)

    def is_bad(self, peer: PublicKey, now: Millis) -> bool:
        """Return whether a peer has misbehaved too much to be relied upon."""
        return self._accounts.is_bad(peer, now)

    async def request(
        self, to: PublicKey, topic: int, payload: bytes, *, within: MillisSpan = _REQUEST_SPAN
    ) -> bytes | None:
        """Ask a peer; return its answer, None if it has none.

        Raises:
            PeerSilent: it is not connected, or did not answer within the span.
        """
        return await self._questions.ask(to, topic, payload, within)

    async def fetch_blob(
        self,
        digest: Digest,
        *,
        naming: Naming,
        size_max: ByteCount,
        peers: Sequence[PublicKey] | None = None,
        progress: Progress = lambda _here, _size: None,
    ) -> Path:
        """Return the path of a blob, fetched from ``peers`` (None: all) unless it is here.

        A download that ends early is resumed by the next one.

        Raises:
            BlobUnavailable: nobody of them who is connected serves it.
            BlobQuotaExceeded, StorageFull: there is no room for it.
        """
        return await self._blobs.fetch(
            digest, naming=naming, size_max=size_max, sources=peers, progress=progress
        )

    def peers(self) -> tuple[PeerInfo, ...]:
        """Return what is known of every peer that is up or dialed, sorted by key."""
        now = self._clock.now()
        return tuple(
            PeerInfo(
                peer=one.peer,
                address=one.address,
                is_up=one.is_up,
                is_outbound=one.is_outbound,
                is_listed=one.is_listed,
                refusal=one.refusal,
                height=self._accounts.height(one.peer),
                heard=self._accounts.heard(one.peer),
                score=self._accounts.points(one.peer, now),
                since=one.since,
                bytes_in=one.bytes_in,
                bytes_out=one.bytes_out,
            )
            for one in self._transport.connections()
        )

    def queues(self) -> Mapping[str, int]:
        """Return the lengths of the queues, for the metrics; each is bounded, per peer and over all."""
        return {
            "transactions": len(self._spreading),
            "requests": len(self._requests),
            "blobs": self._blobs.queued,
        }

    @property
    def accounts(self) -> PeerAccounts:
        """What is held against peers, and counts of what they sent, for the metrics."""
        return self._accounts

    @property
    def spreading(self) -> Spreading:
        """The transactions between us and our peers, for the metrics."""
        return self._spreading

    def dropped(self) -> Mapping[str, int]:
        """Return how much found no room in these queues."""
        return {
            "transactions": self._spreading.dropped,
            "requests": self._requests.dropped,
        }

    def ban(self, peer: PublicKey) -> None:
        """Hang up on an identity and refuse it until ``unban``: the chain has banned it."""
        self._banned.add(peer)
        self._transport.forbid(peer)

    def unban(self, peer: PublicKey) -> None:
        """Take ``ban`` back: an abandoned branch of the chain had banned it."""
        self._banned.discard(peer)
        if not self._accounts.is_banned(peer):
            self._transport.permit(peer)

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        """Count an offence of a peer; too many of them ban it for ten minutes."""
        if self._accounts.offend(peer, offence, self._clock.now()):
            extra = {"peer": encode_address(peer), "offence": offence.name.lower()}
            _log.warning("peer %s banned for ten minutes: %s", *extra.values(), extra=extra)
            self._transport.forbid(peer)

    def tell(self, peer: PublicKey, message: Message) -> bool:
        """Send a message to a peer; False if it was dropped."""
        frame = encode_message(message)
        channel = LIMITS[kind_of(frame)].channel or Channel.BULK
        return self._transport.send(peer, channel, frame)

    def send_frame(self, peer: PublicKey, frame: Frame) -> bool:
        """Send a bulk frame that is encoded already; False if it was dropped."""
        return self._transport.send(peer, Channel.BULK, frame)

    async def _listen(self, channel: Channel, handlers: Handlers) -> None:
        while True:
            for _ in range(_AT_ONCE_MAX):
                self._take(await self._transport.receive(channel), handlers)
            await asyncio.sleep(0)

    def _take(self, inbound: Inbound, handlers: Handlers) -> None:
        """Check a frame against the limits, read it, and hand it to who waits for such."""
        now = self._clock.now()
        if inbound.peer not in self._up:
            self._note_changes(handlers)
        try:
            kind = kind_of(inbound.frame)
            if LIMITS[kind].channel not in {None, inbound.channel}:
                self.offend(inbound.peer, Offence.WRONG_CHANNEL)
            elif not self._accounts.admits(inbound.peer, kind, len(inbound.frame), now):
                self.offend(inbound.peer, Offence.OVER_LIMIT)
            else:
                self._hear(inbound.peer, decode_message(inbound.frame), handlers)
        except MalformedBytes:
            self.offend(inbound.peer, Offence.MALFORMED)

    def _hear_of_data(self, peer: PublicKey, word: GetDataPort | DataPort | DataLost) -> None:
        """Hear of a data connection: how one is made is the transport's, and comes here to be counted only."""
        if isinstance(word, DataLost):
            self._blobs.interrupted(peer)

    def _hear(self, peer: PublicKey, message: Message, handlers: Handlers) -> None:
        if isinstance(message, ConsensusFrame):
            self._judge(peer, handlers.on_consensus(peer, message.payload))
        elif isinstance(message, Blob | Part | NoBlob | Chunk):
            self._blobs.heard(peer, message)
        elif isinstance(message, GetBlob | GetChunk):
            self._blobs.asked(peer, message)
        elif isinstance(message, GetDataPort | DataPort | DataLost):
            self._hear_of_data(peer, message)
        elif isinstance(message, Transactions | Announce | Want | Prune):
            self._hear_gossip(peer, message, handlers)
        elif isinstance(message, Request):
            self._requests.put(peer, message, len(message.payload))
        elif isinstance(message, Response):
            if not self._questions.answered(peer, message):
                self.offend(peer, Offence.UNSOLICITED)
        elif isinstance(message, Status):
            self._accounts.note_height(peer, message.height, self._clock.now())
        else:
            self.offend(peer, Offence.GREETED_AGAIN)

    def _hear_gossip(self, peer: PublicKey, message: Gossip, handlers: Handlers) -> None:
        """Hear of transactions; each of several in a frame counts, the first was admitted with the frame."""
        if isinstance(message, Transactions):
            others, now = len(message.raws) - 1, self._clock.now()
            if not self._accounts.admits_more(peer, Kind.TRANSACTIONS, others, now):
                self.offend(peer, Offence.OVER_LIMIT)
                return
        self._spreading.hear(peer, message, handlers)

    def _judge(self, peer: PublicKey, verdict: Verdict) -> None:
        self.verdicts[verdict] += 1
        if verdict is Verdict.REJECT:
            self.offend(peer, Offence.REJECTED)

    async def _answer_requests(self, handlers: Handlers) -> None:
        while True:
            peer, request = await self._requests.take()
            answer = await handlers.on_request(peer, request.topic, request.payload)
            response = Response(
                number=request.number, found=answer is not None, payload=answer or b""
            )
            self.tell(peer, response)

    async def _watch_peers(self, handlers: Handlers) -> None:
        while True:
            self._note_changes(handlers)
            await self._transport.changed()

    def _note_changes(self, handlers: Handlers) -> None:
        now_up = frozenset(self.connected)
        if now_up == self._up:
            return  # the rule with guests, who are never up: each of their frames comes here
        joined, left = sorted(now_up - self._up), sorted(self._up - now_up)
        self._up = now_up
        for peer in left:
            self._spreading.left(peer)
            self._questions.left(peer)
            self._requests.forget(peer)
            self._blobs.left(peer)
            handlers.on_peer(peer, is_up=False)
        dialed = {one.peer for one in self._transport.connections() if one.is_dialed}
        for peer in joined:
            self._spreading.joined(peer, is_dialed=peer in dialed, pending=handlers.pending())
            self.tell(peer, Status(height=self._height()))
            self._blobs.joined(peer)
            handlers.on_peer(peer, is_up=True)

    async def _keep_house(self) -> None:
        """Tell peers how far we are, and pardon those whose ban is over."""
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            for peer in self.connected:
                self.tell(peer, Status(height=self._height()))
            for peer in self._accounts.pardoned(self._clock.now()):
                if peer not in self._banned:
                    self._transport.permit(peer)
