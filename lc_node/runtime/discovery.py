"""Finds other nodes and keeps this one connected to enough of them, of many networks."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from lc_node.chain.params import ProtocolParams
from lc_node.chain.types import ChainId, Millis, MillisSpan, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.transport import Connection, PeerAddress, Transport
from lc_node.runtime.answers import Answerer
from lc_node.runtime.hints import HINTED_WANTED, Hints, Origin
from lc_node.runtime.own_record import OwnRecord
from lc_node.runtime.record_exchange import Peers, RecordExchange
from lc_node.wire.book_file import Kept
from lc_node.wire.endpoints import Host
from lc_node.wire.known import Draw, Known
from lc_node.wire.outbound import ANCHORS_MAX, Dial, Outbound, Situation, Why
from lc_node.wire.topics import Topic

_log = logging.getLogger(__name__)

TICK_SECONDS: Final = 0.5
ASK_FIRST: Final = MillisSpan(2_000)
ASK_LAST: Final = MillisSpan(30_000)
"""A peer is asked at once, again after two seconds, and then after longer and longer pauses up to this."""
_ASK_AGAIN: Final = MillisSpan(500)
SAVE_PAUSE: Final = MillisSpan(5 * 60 * 1_000)
"""How much of what was learnt a crash may cost; less if a node was reached for the first time."""
SAVE_PAUSE_AFTER_NEWS: Final = MillisSpan(5_000)
_ALIVE_PAUSE: Final = MillisSpan(20 * 60 * 1_000)
"""How often it is noted in the book that a connected node is still there."""
_SILENCE: Final = MillisSpan(30_000)
_FEELER_MAX: Final = MillisSpan(10_000)
_ELSEWHERE: Final = MillisSpan(30_000)
"""After so long a validator that does not answer is dialed at another of its endpoints."""


def silence_of(params: ProtocolParams) -> MillisSpan:
    """Return how long a chain that is well may have nothing to finalise: idle blocks come every heartbeat."""
    return MillisSpan(max(_SILENCE, 3 * params.heartbeat_ms))


class Chain(Protocol):
    """What the chain says about nodes."""

    @property
    def height(self) -> int:
        """That of the last final block."""
        ...

    def validators(self) -> frozenset[PublicKey]:
        """Who votes in this epoch."""
        ...

    def is_banned(self, key: PublicKey) -> bool:
        """Whether a key is banned for ever."""
        ...


class BookStore(Protocol):
    """Where the address book outlives the process."""

    def write(self, kept: Kept) -> Callable[[], None]:
        """Take down the book as it is now; return what makes it durable, in any thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """What discovery stands on."""

    chain_id: ChainId
    me: PublicKey
    transport: Transport
    peers: Peers
    clock: Clock
    chain: Chain
    store: BookStore
    draw: Draw
    is_wanted: bool = True
    """False: nobody is dialed but whom the owner has listed, and nobody is told of."""
    silence: MillisSpan
    """With nothing final for so long, something is wrong: perhaps all our peers keep it from us."""


@dataclass(slots=True, kw_only=True)
class _Call:
    """A node that we dial."""

    why: Why
    since: Millis
    is_up: bool = False
    is_asked: bool = False


@dataclass(slots=True, kw_only=True)
class _Talk:
    """When to ask a peer for records again."""

    due: Millis
    pause: MillisSpan
    is_open: bool = False


class Discovery:
    """Dials, asks, answers, remembers; everything happens in one event loop."""

    def __init__(self, around: Neighbourhood, kept: Kept, own: OwnRecord) -> None:
        """Go on with what was kept; nothing happens before ``run``."""
        self._with = around
        self._book = kept.book
        self._own: Final = own
        self._outbound = Outbound(kept.book, around.draw, kept.anchors)
        self._anchors = tuple(kept.anchors)
        self._hints: Final = Hints()
        self.exchange: Final = RecordExchange(
            chain_id=around.chain_id,
            own=own,
            book=kept.book,
            peers=around.peers,
            transport=around.transport,
            clock=around.clock,
            draw=around.draw,
        )
        self._calls: dict[PublicKey, _Call] = {}
        self._talks: dict[PublicKey, _Talk] = {}
        self._wanted: frozenset[PublicKey] = frozenset()
        self._height = -1
        self._progress = around.clock.now()
        self._is_alarmed = False
        self._saved = around.clock.now()
        self._reached_at_save = kept.book.reached

    async def run(self) -> None:
        """Look around until cancelled, and remember at the end whom we know; at once, if that is not wanted."""
        if not self._with.is_wanted:
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                while True:
                    self._tick(tasks)
                    await asyncio.sleep(TICK_SECONDS)
        finally:
            self._save()()

    def answerers(self) -> Mapping[Topic, Answerer]:
        """Return what the composition root puts among the answers."""
        return {Topic.RECORDS: self.exchange.answer} if self._with.is_wanted else {}

    @property
    def is_alarmed(self) -> bool:
        """Whether nothing has become final for so long that others are looked for."""
        return self._is_alarmed

    @property
    def reached(self) -> int:
        """How many nodes of the book have answered when we dialed them."""
        return self._book.reached

    @property
    def heard_of(self) -> int:
        """How many nodes of the book have not, so far."""
        return len(self._book) - self._book.reached

    def hint(self, address: PeerAddress, origin: Origin) -> None:
        """Be pointed to a node that may be there; it is dialed while there are too few others."""
        if address.public_key != self._with.me:
            self._hints.add(address, origin)

    def seek(self, peers: frozenset[PublicKey]) -> None:
        """Keep connected to these, instead of those named before, as far as it is known where they are."""
        self._wanted = peers

    def origin(self, peer: PublicKey) -> Origin:
        """Return where we know a peer from that is not listed."""
        hinted = self._hints.origin(peer)
        if hinted is not None:
            return hinted
        return Origin.RECORD if peer in self._calls else Origin.DIALED_IN

    def _tick(self, tasks: asyncio.TaskGroup) -> None:
        now = self._with.clock.now()
        connections = {one.peer: one for one in self._with.transport.connections()}
        up = {peer: one for peer, one in connections.items() if one.is_up}
        validators = self._with.chain.validators()
        self._book.favour(validators)
        self._with.transport.welcome(validators)
        self._watch_chain(now)
        self._note_calls(connections, now)
        self._note_alive(up, now)
        self._dial(connections, validators, now)
        self._ask(tasks, up, now)
        if self._is_worth_saving(now):
            tasks.create_task(asyncio.to_thread(self._save()))

    def _watch_chain(self, now: Millis) -> None:
        """Raise the alarm when nothing becomes final: our peers may be keeping the chain from us."""
        if self._with.chain.height != self._height:
            self._height, self._progress = self._with.chain.height, now
        elif now < self._progress:  # the clock was set back
            waited = self._with.silence + 1 if self._is_alarmed else 0
            self._progress = Millis(now - waited)
        was_alarmed = self._is_alarmed
        self._is_alarmed = self._progress + self._with.silence < now
        if self._is_alarmed and not was_alarmed:
            seconds = self._with.silence // 1_000
            _log.warning("nothing became final for %d s: looking for other peers", seconds)
        if was_alarmed and not self._is_alarmed:
            extra = {"height": self._height}
            _log.info("blocks become final again, at height %d", self._height, extra=extra)

    def _note_calls(self, connections: Mapping[PublicKey, Connection], now: Millis) -> None:
        """See what has become of those that we dial."""
        for peer, call in tuple(self._calls.items()):
            connection = connections.get(peer)
            if connection is None or not connection.is_dialed:
                del self._calls[peer]
            elif connection.is_up and not call.is_up:
                call.is_up, call.since = True, now
                self._hints.good(peer)
            elif not connection.is_up:
                call.is_up = False
            is_felt = call.is_asked or call.since + _FEELER_MAX <= now
            is_over = call.why is Why.WORK and peer not in self._wanted
            if is_over or (call.why is Why.FEELER and call.is_up and is_felt):
                self._with.transport.undial(peer)

    def _note_alive(self, up: Mapping[PublicKey, Connection], now: Millis) -> None:
        """Keep account of who is there: once a session begins and its record is known, and from time to time."""
        for peer in [peer for peer in self._talks if peer not in up]:
            del self._talks[peer]
        for peer, connection in up.items():
            self._talks.setdefault(peer, _Talk(due=now, pause=ASK_FIRST))
            known = self._book.get(peer)
            if known is None:
                continue
            is_noted = connection.since <= known.succeeded and now < known.succeeded + _ALIVE_PAUSE
            if connection.is_outbound and not is_noted:
                self._book.good(peer, Host(connection.host), now)
            elif self._book.is_tried(peer) and not is_noted:
                # It has dialed us: that it is there says who it is, not where it can be reached.
                self._book.good(peer, known.host, now)

    def _dial(
        self,
        connections: Mapping[PublicKey, Connection],
        validators: frozenset[PublicKey],
        now: Millis,
    ) -> None:
        dialed = {one.peer for one in connections.values() if one.is_dialed}
        situation = Situation(
            now=now,
            me=self._with.me,
            connected={one.peer: Host(one.host) for one in connections.values() if one.is_up},
            dialed={
                peer: self._calls[peer].why if peer in self._calls else None
                for peer in (*dialed, *(peer for peer in self._calls if peer not in dialed))
            },
            validators=validators,
            is_banned=self._with.chain.is_banned,
            is_alarmed=self._is_alarmed,
            sought=self._wanted,
        )
        for dial in self._outbound.next(situation):
            # Validators need each other; who only follows takes another for one that does not answer.
            is_kept = dial.why is Why.VALIDATOR and self._with.me in validators
            self._call(dial, now, keep=is_kept)
        self._keep_validators(validators, now)
        self._follow_hints(situation, now)

    def _call(self, dial: Dial, now: Millis, *, keep: bool) -> None:
        key = dial.known.key
        self._book.attempt(key, now)
        if self._with.transport.dial(_address(dial.known), keep=keep):
            self._calls[key] = _Call(why=dial.why, since=now)

    def _keep_validators(self, validators: frozenset[PublicKey], now: Millis) -> None:
        """Dial validators at all their endpoints in turn, and former ones like others."""
        for peer, call in self._calls.items():
            if call.why is not Why.VALIDATOR:
                continue
            known = self._book.get(peer)
            if peer not in validators:
                call.why = Why.OUTBOUND
                if known is None or not self._with.transport.dial(_address(known), keep=False):
                    self._with.transport.undial(peer)
            elif known is not None and not call.is_up and call.since + _ELSEWHERE <= now:
                call.since = now
                self._book.attempt(peer, now)
                self._with.transport.dial(_address(known), keep=self._with.me in validators)

    def _follow_hints(self, at: Situation, now: Millis) -> None:
        """Dial whom we were pointed to: as many as are wanted, and while we are in need all of them."""
        hinted = sum(call.why is Why.HINT for call in self._calls.values())
        in_need = at.is_alarmed or not at.connected
        for address in self._hints.due(now):
            peer = address.public_key
            if peer in at.connected or peer in self._calls or peer in at.dialed:
                continue
            is_wanted = in_need or hinted < HINTED_WANTED or peer in at.validators
            if not is_wanted or self._with.chain.is_banned(peer):
                continue
            self._hints.attempt(peer, now)
            if self._with.transport.dial(address, keep=False):
                self._calls[peer] = _Call(why=Why.HINT, since=now)
                hinted += 1

    def _ask(self, tasks: asyncio.TaskGroup, up: Iterable[PublicKey], now: Millis) -> None:
        for peer in up:
            talk = self._talks[peer]
            # A longer pause than the longest was begun before the clock was set back.
            if not (talk.is_open or now < talk.due <= now + ASK_LAST):
                talk.is_open = True
                tasks.create_task(self._converse(peer, talk))

    async def _converse(self, peer: PublicKey, talk: _Talk) -> None:
        is_answered = await self.exchange.ask(peer)
        talk.is_open = False
        now, call = self._with.clock.now(), self._calls.get(peer)
        if not is_answered:
            talk.due = Millis(now + _ASK_AGAIN)
            return
        talk.due = Millis(now + talk.pause)
        talk.pause = MillisSpan(min(2 * talk.pause, ASK_LAST))
        if call is not None:
            call.is_asked = True

    def _is_worth_saving(self, now: Millis) -> bool:
        """Return whether a crash would cost much: soon after somebody was reached, else now and then."""
        is_news = self._book.reached > self._reached_at_save
        return self._saved + (SAVE_PAUSE_AFTER_NEWS if is_news else SAVE_PAUSE) <= now

    def _save(self) -> Callable[[], None]:
        """Take down the book; return what writes it."""
        self._saved, self._reached_at_save = self._with.clock.now(), self._book.reached
        chosen = [
            peer
            for peer, call in sorted(self._calls.items(), key=lambda one: one[1].since)
            if call.is_up and call.why in {Why.ANCHOR, Why.OUTBOUND}
        ]
        # Who has lost all of them, a moment ago, is best off with those that there were.
        self._anchors = tuple(chosen[:ANCHORS_MAX]) or self._anchors
        return self._with.store.write(
            Kept(book=self._book, anchors=self._anchors, sequence=self._own.sequence)
        )


def _address(known: Known) -> PeerAddress:
    record, endpoint = known.signed.record, known.endpoint
    return PeerAddress(
        public_key=record.node_key,
        transport_key=record.transport_key,
        host=endpoint.host,
        port=endpoint.port,
    )
