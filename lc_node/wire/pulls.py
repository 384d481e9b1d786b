"""Messages that peers have announced and we lack: who is asked for which, and who does not deliver."""

from collections.abc import Iterable
from dataclasses import dataclass, field
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
        self._share: dict[PublicKey, int] = {}
        """In how many of these lists a peer is."""
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
        if self._share.get(peer, 0) >= ANNOUNCED_MAX:
            return
        if message not in self._announcers:
            self._announcers[message] = []
            self._idle[message] = None
        announcers = self._announcers[message]
        if peer in announcers or self._owes(peer, message) or len(announcers) >= ANNOUNCERS_MAX:
            return
        announcers.append(peer)
        self._share[peer] = self._share.get(peer, 0) + 1

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
        return self.ask(tuple(self._idle), now)

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
        for message, announcers in tuple(self._announcers.items()):
            if peer in announcers:
                announcers.remove(peer)
            if not announcers and message in self._idle:
                self._drop(message)
        self._share.pop(peer, None)

    def _ask_for(self, message: Digest, now: Millis, asks: Asks) -> None:
        announcers = self._announcers[message]
        if not announcers:
            self._drop(message)
            return
        attempts = self._attempts.get(message, 0)
        # Who owes us little has kept its promises; of several the first to announce.
        for peer in sorted(announcers, key=self._owed)[: 2**attempts]:
            if self._owed(peer) < WANT_MAX:
                announcers.remove(peer)
                self._release(peer)
                promise = self._promises.setdefault(peer, _Promise(since=now))
                promise.messages[message] = None
                asks.setdefault(peer, []).append(message)
                self._idle.pop(message, None)
                self._asked[message] = now
                self._attempts[message] = attempts + 1

    def _give_up(self, message: Digest) -> None:
        """Wait no longer for those who were asked."""
        del self._asked[message]
        self._idle[message] = None

    def _owes(self, peer: PublicKey, message: Digest) -> bool:
        promise = self._promises.get(peer)
        return promise is not None and message in promise.messages

    def _owed(self, peer: PublicKey) -> int:
        promise = self._promises.get(peer)
        return len(promise.messages) if promise else 0

    def _drop(self, message: Digest) -> None:
        for peer in self._announcers.pop(message):
            self._release(peer)
        self._idle.pop(message, None)
        self._asked.pop(message, None)
        self._attempts.pop(message, None)

    def _release(self, peer: PublicKey) -> None:
        self._share[peer] -= 1
        if not self._share[peer]:
            del self._share[peer]
