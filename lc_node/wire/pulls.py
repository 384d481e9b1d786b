"""Messages that peers have announced and we lack: who is asked for which, and who does not deliver."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from lc_node.chain.types import Digest, Millis, MillisSpan, PublicKey
from lc_node.wire.limits import ANNOUNCED_MAX, ANNOUNCERS_MAX, WANT_MAX

ASK_AGAIN: Final = MillisSpan(1_000)
"""A message that has not come after this long is asked of two other announcers, then of four ..."""
PROMISE: Final = MillisSpan(3_000)
"""Who delivers nothing for this long of what it was asked for has announced what it does not give."""

Asks = dict[PublicKey, list[Digest]]


@dataclass(slots=True, kw_only=True)
class _Promise:
    """What a peer was asked for and has not delivered."""

    messages: dict[Digest, None] = field(default_factory=dict)
    since: Millis
    """When it was asked first, or has delivered last."""


class Pulls:
    """Asks few announcers at a time for each message; every table is bounded by the number of peers."""

    def __init__(self) -> None:
        """Lack nothing yet."""
        self._announcers: dict[Digest, list[PublicKey]] = {}
        """Who can still be asked for each lacking message."""
        self._offered: dict[PublicKey, dict[Digest, None]] = {}
        """In which of these lists a peer is."""
        self._idle: dict[Digest, None] = {}
        """Lacking messages that nobody has been asked for."""
        self._asked: dict[Digest, Millis] = {}
        """Lacking messages on their way and when they were asked for, the earliest first."""
        self._attempts: dict[Digest, int] = {}
        """How often somebody was asked for a lacking message, if ever."""
        self._promises: dict[PublicKey, _Promise] = {}

    def __len__(self) -> int:
        return len(self._announcers)

    def announced(self, message: Digest, peer: PublicKey) -> None:
        """Take note that a peer has a message that we lack, unless it has announced too much."""
        offered = self._offered.get(peer, {})
        if len(offered) >= ANNOUNCED_MAX:
            return
        announcers = self._announcers.get(message, [])
        if peer in announcers or self._owes(peer, message) or len(announcers) >= ANNOUNCERS_MAX:
            return
        if not announcers and message not in self._asked:
            self._idle[message] = None
        self._announcers[message] = announcers
        announcers.append(peer)
        offered[message] = None
        self._offered[peer] = offered

    def announcers(self, message: Digest) -> tuple[PublicKey, ...]:
        """Return who is known to have a lacking message and was not asked for it yet."""
        return tuple(self._announcers.get(message, ()))

    def ask(self, messages: Iterable[Digest], now: Millis) -> Asks:
        """Choose whom to ask for which of these messages."""
        asks: Asks = {}
        for message in messages:
            if message in self._idle:
                self._ask_for(message, now, asks)
        return asks

    def ask_again(self, now: Millis) -> Asks:
        """Choose whom to ask for what nobody was asked for yet, or somebody who has not delivered."""
        for message, at in tuple(self._asked.items()):
            if now < at + ASK_AGAIN:
                break
            self._give_up(message)
        return self.ask(self._askable(), now)

    def found(self, message: Digest) -> None:
        """Search for a message no more."""
        if message in self._announcers:
            self._drop(message)

    def came(self, message: Digest, peer: PublicKey, now: Millis) -> bool:
        """Take note that a peer has sent a message; return whether it was asked for it."""
        self.found(message)
        if not self._owes(peer, message):
            return False
        promise = self._promises[peer]
        del promise.messages[message]
        promise.since = now
        if not promise.messages:
            del self._promises[peer]
        return True

    def broken(self, now: Millis) -> tuple[PublicKey, ...]:
        """Return, once, who was asked and has delivered nothing for too long, sorted by key."""
        late = sorted(p for p, one in self._promises.items() if one.since + PROMISE <= now)
        for peer in late:
            del self._promises[peer]
        return tuple(late)

    def left(self, peer: PublicKey) -> None:
        """Forget a peer: others are asked for what it was asked for."""
        promise = self._promises.pop(peer, None)
        for message in promise.messages if promise else ():
            if message in self._asked:
                self._give_up(message)
        for message in self._offered.pop(peer, ()):
            announcers = self._announcers[message]
            announcers.remove(peer)
            if not announcers and message in self._idle:
                self._drop(message)

    def _askable(self) -> Iterable[Digest]:
        """Return what nobody was asked for and somebody can be: a crowd that delivers nothing is passed over."""
        able = [peer for peer in self._offered if self._owed(peer) < WANT_MAX]
        offered = (
            islice(filter(self._idle.__contains__, self._offered[p]), WANT_MAX) for p in able
        )
        return dict.fromkeys(chain.from_iterable(offered))

    def _ask_for(self, message: Digest, now: Millis, asks: Asks) -> None:
        announcers = self._announcers[message]
        attempts = self._attempts.get(message, 0)
        # Who owes us little has kept its promises; of several the first to announce.
        for peer in sorted(announcers, key=self._owed)[: 2**attempts]:
            if self._owed(peer) < WANT_MAX:
                announcers.remove(peer)
                self._release(peer, message)
                promise = self._promises.setdefault(peer, _Promise(since=now))
                promise.messages[message] = None
                asks.setdefault(peer, []).append(message)
                self._idle.pop(message, None)
                self._asked[message] = now
                self._attempts[message] = attempts + 1

    def _give_up(self, message: Digest) -> None:
        """Wait no longer for those who were asked; if there is nobody else, lack it no more."""
        del self._asked[message]
        self._idle[message] = None
        if not self._announcers[message]:
            self._drop(message)

    def _owes(self, peer: PublicKey, message: Digest) -> bool:
        promise = self._promises.get(peer)
        return promise is not None and message in promise.messages

    def _owed(self, peer: PublicKey) -> int:
        promise = self._promises.get(peer)
        return len(promise.messages) if promise else 0

    def _drop(self, message: Digest) -> None:
        for peer in self._announcers.pop(message):
            self._release(peer, message)
        self._idle.pop(message, None)
        self._asked.pop(message, None)
        self._attempts.pop(message, None)

    def _release(self, peer: PublicKey, message: Digest) -> None:
        del self._offered[peer][message]
        if not self._offered[peer]:
            del self._offered[peer]
