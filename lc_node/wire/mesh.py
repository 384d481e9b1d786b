"""How transactions spread: pushed to a few peers, announced to some others, who pull what they lack.

After gossipsub v1.1 (a bounded mesh, lazy announcements, scores) and Plumtree (who brings only duplicates
is asked to announce instead), without their machinery: whom a node pushes to is its own choice, and the
only word about it is PRUNE.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from lc_node.chain.types import Digest, Millis, MillisSpan, PublicKey
from lc_node.wire.gossip import Mark, SeenCache
from lc_node.wire.limits import ANNOUNCE_MAX, SEEN_MAX, UNTOLD_MAX
from lc_node.wire.neighbours import Draw, IsBad, Neighbours
from lc_node.wire.pulls import Asks, Pulls
from lc_node.wire.score import Offence

REMINDER: Final = MillisSpan(2_000)
"""How often some peer is told of what is waiting still: whatever was lost arrives in the end."""
HEARTBEAT: Final = MillisSpan(300)
"""How often announcements go out, and what was not delivered is asked for again."""
TOLD: Final = 6
"""Peers to whom each message is announced besides; of more than twelve others, half of them."""
TURN: Final = MillisSpan(2 * HEARTBEAT)
"""By so much later the higher key of two announces, so that they do not announce to each other."""
PUSHERS_MAX: Final = 12
"""So many peers may bring us duplicates; a stranger beyond that is asked to announce instead."""
QUIET: Final = MillisSpan(60_000)
"""How long who was asked for quiet does not push."""
GRACE: Final = MillisSpan(3_000)
"""What may still be on its way when quiet was asked for."""
SECOND_LOOK: Final = MillisSpan(5_000)
"""A message that was not wanted may be welcome after this long: its sender's chain was ahead of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Send the message itself."""

    peers: tuple[PublicKey, ...]
    message: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Announce messages to a peer."""

    peer: PublicKey
    messages: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask a peer for messages that it has announced."""

    peer: PublicKey
    messages: tuple[Digest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quieten:
    """Ask a peer not to push."""

    peer: PublicKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Blame:
    """Count an offence against a peer."""

    peer: PublicKey
    offence: Offence


Output: TypeAlias = Push | Tell | Ask | Quieten | Blame


class Mesh:
    """One node's part in the spreading of messages, which it knows by their names only."""

    def __init__(
        self, me: PublicKey, draw: Draw, is_bad: IsBad, *, seen_max: int = SEEN_MAX
    ) -> None:
        """Start alone; ``draw`` is all the chance there is, ``is_bad`` judges peers by their score."""
        self._me = me
        self._neighbours: Final = Neighbours(draw, is_bad)
        self._is_bad = is_bad
        self._reminded_at = Millis(0)
        self._waiting: dict[Digest, None] = {}
        """What was waiting for a block when peers were last reminded."""
        self._had_turn: set[PublicKey] = set()
        self._seen: Final = SeenCache(seen_max)
        self._pulls: Final = Pulls()
        self._untold: dict[PublicKey, dict[Digest, Millis]] = {}
        """What is to be announced to each peer, and when it is our turn to do so."""
        self._duplicates: dict[PublicKey, Millis] = {}
        """When each peer last pushed to us what we had."""
        self._useless: dict[PublicKey, Millis] = {}
        """When each peer last announced nothing new."""
        self._pruned: dict[PublicKey, Millis] = {}
        """When each peer was asked for quiet."""

    # Peers come, go, and say whether they want to be pushed to.

    def joined(self, peer: PublicKey, *, is_dialed: bool, now: Millis) -> None:
        """Take up a peer; ``is_dialed`` says that we have chosen it."""
        self._seen.joined(peer)
        self._neighbours.joined(peer, is_dialed=is_dialed, now=now)

    def left(self, peer: PublicKey, now: Millis) -> None:
        """Forget a peer and all that was to be told to it or asked of it."""
        self._seen.left(peer)
        self._pulls.left(peer)
        for table in (self._untold, self._duplicates, self._useless, self._pruned):
            table.pop(peer, None)
        self._neighbours.left(peer, now)

    def pruned_by(self, peer: PublicKey, now: Millis) -> None:
        """A peer wants announcements only."""
        self._neighbours.silence(peer, Millis(now + QUIET))
        self._neighbours.tend(now)

    def pushed_to(self, now: Millis) -> tuple[PublicKey, ...]:
        """Return the peers that messages are pushed to, sorted by key."""
        return self._neighbours.mesh(now)

    def some_of(self, peers: Iterable[PublicKey], now: Millis) -> tuple[PublicKey, ...]:
        """Return a few of these peers: those first that messages are pushed to."""
        return self._neighbours.some_of(peers, now)

    # Messages come, are judged, and go on.

    def publish(self, message: Digest, now: Millis) -> tuple[Output, ...]:
        """Send a message of our own to every peer that needs word: no few silent ones can suppress it.

        Who has asked for quiet is told of it instead, lest a push that comes too late count against us.
        """
        self._pulls.found(message)  # peers may have kept it over a restart of ours
        self._seen.note(message, now)
        listening = self._neighbours.listening(now)
        quiet = [peer for peer in self._neighbours.trusted(now) if peer not in listening]
        for peer in self._seen.lacking(message, quiet):
            self._tell_at(peer, message, now)
        return self._push(message, listening)

    def received(
        self, peer: PublicKey, message: Digest, now: Millis
    ) -> tuple[bool, tuple[Output, ...]]:
        """Take note of a message that a peer has sent; return whether it is to be judged."""
        announcers = self._pulls.announcers(message)
        was_asked = self._pulls.came(message, peer, now)
        is_new = self._seen.note(message, now)
        is_repeated = self._seen.is_marked(message, peer, Mark.TOLD_US)
        self._note_teller(message, peer)
        for announcer in announcers:
            self._note_teller(message, announcer)
        if was_asked or is_new:
            return is_new, ()
        return False, self._on_duplicate(peer, now, is_repeated=is_repeated)

    def accepted(self, message: Digest, now: Millis) -> tuple[Output, ...]:
        """Pass on a message that was found good: at once to some, by announcement to the others."""
        others = self._seen.lacking(message, self._neighbours.others(now))
        for peer in self._neighbours.drawn(others, max(TOLD, len(others) // 2)):
            self._tell_at(peer, message, now if self._me < peer else Millis(now + TURN))
        return self._push(message, self._neighbours.mesh(now))

    def ignored(self, message: Digest, now: Millis) -> None:
        """Look at a message again if it comes later: it is not wanted now."""
        self._seen.postpone(message, Millis(now + SECOND_LOOK))

    def dropped(self, message: Digest, now: Millis) -> None:
        """Take a message as new when it comes again: there was no room for it."""
        self._seen.postpone(message, now)

    def not_sent(self, message: Digest, peer: PublicKey) -> None:
        """Announce what could not be pushed to a peer, whose queue is full."""
        self._seen.unmark(message, peer, Mark.KNOWS)
        self._seen.unmark(message, peer, Mark.GOT)
        self._tell_at(peer, message, Millis(0))

    # Announcements.

    def offer(self, peer: PublicKey, messages: Iterable[Digest]) -> None:
        """Announce to a peer, bit by bit, those of the messages that it needs word of."""
        for message in messages:
            self._tell_at(peer, message, Millis(0))

    def announced(
        self, peer: PublicKey, messages: Iterable[Digest], now: Millis
    ) -> tuple[Output, ...]:
        """Ask for what we lack of what a peer has; nothing is asked of one that has misbehaved."""
        if peer not in self._neighbours or self._is_bad(peer, now):
            return ()
        is_news, lacking = False, []
        for message in messages:
            if self._seen.is_wanted(message, now):
                self._pulls.announced(message, peer)
                lacking.append(message)
            is_news |= not self._seen.is_marked(message, peer, Mark.TOLD_US)
            self._note_teller(message, peer)
        if is_news or lacking:
            return _asks(self._pulls.ask(lacking, now))
        return self._on_useless(peer, now)

    def wanted(self, peer: PublicKey, messages: Iterable[Digest]) -> tuple[Digest, ...]:
        """Return what to send to a peer that asks: everything once, and nothing to a mere guest."""
        able: list[Digest] = []
        for message in dict.fromkeys(messages) if peer in self._neighbours else ():
            if not self._seen.is_marked(message, peer, Mark.GOT):
                self._note_sent(message, peer)
                able.append(message)
        return tuple(able)

    def heartbeat(
        self, now: Millis, pending: Callable[[], Iterable[Digest]]
    ) -> tuple[Output, ...]:
        """Announce what waits, ask again for what has not come, and tend the neighbours.

        ``pending`` returns the messages that still matter: one peer after the other is reminded of them.
        """
        self._neighbours.tend(now)
        self._remind(now, pending)
        blames = tuple(
            Blame(peer=peer, offence=Offence.BROKEN_PROMISE) for peer in self._pulls.broken(now)
        )
        return (*blames, *_asks(self._pulls.ask_again(now)), *self._tell(now))

    def _remind(self, now: Millis, pending: Callable[[], Iterable[Digest]]) -> None:
        """Tell a quarter of the peers, in turn, of what was waiting already the last time."""
        if now < self._reminded_at + REMINDER:
            return
        self._reminded_at = now
        waiting = dict.fromkeys(pending())
        old, self._waiting = [one for one in waiting if one in self._waiting], waiting
        for peer in self._next_in_turn(now) if old else ():
            for message in old:
                if not self._seen.is_marked(message, peer, Mark.TOLD_US):
                    # What we have said or sent before may not have arrived.
                    self._seen.unmark(message, peer, Mark.KNOWS)
                    self._seen.unmark(message, peer, Mark.GOT)
                    self._tell_at(peer, message, Millis(0))

    def _next_in_turn(self, now: Millis) -> list[PublicKey]:
        peers = self._neighbours.trusted(now)
        left = [peer for peer in peers if peer not in self._had_turn]
        chosen = self._neighbours.drawn(left, -(-len(peers) // 4))
        had_turn = {*self._had_turn.intersection(peers), *chosen}
        self._had_turn = had_turn if len(chosen) < len(left) else set()
        return chosen

    def _push(self, message: Digest, peers: Iterable[PublicKey]) -> tuple[Output, ...]:
        lacking = self._seen.lacking(message, peers)
        for peer in lacking:
            self._note_sent(message, peer)
        return (Push(peers=lacking, message=message),) if lacking else ()

    def _on_useless(self, peer: PublicKey, now: Millis) -> tuple[Output, ...]:
        """Mind an announcement that says nothing new: a reminder now and then is no offence."""
        # Two reminders may come closer together than they were sent.
        is_reminder = self._useless.get(peer, Millis(0)) + REMINDER // 2 <= now
        self._useless[peer] = now
        return () if is_reminder else (Blame(peer=peer, offence=Offence.USELESS),)

    def _on_duplicate(
        self, peer: PublicKey, now: Millis, *, is_repeated: bool
    ) -> tuple[Output, ...]:
        """Mind a push that was not needed: a few are the price of speed, a flood is an offence."""
        if peer not in self._neighbours:
            return ()
        pruned_at = self._pruned.get(peer)
        is_quiet = pruned_at is not None and pruned_at + GRACE <= now < pruned_at + QUIET
        if is_repeated or is_quiet:
            return (Blame(peer=peer, offence=Offence.REPEATED),)
        self._duplicates.pop(peer, None)
        self._duplicates[peer] = now  # last in the order: the most recent
        while self._duplicates[first := next(iter(self._duplicates))] + QUIET < now:
            del self._duplicates[first]
        if len(self._duplicates) <= PUSHERS_MAX or self._neighbours.is_dialed(peer):
            return ()
        del self._duplicates[peer]
        self._pruned[peer] = now
        return (Quieten(peer=peer),)

    def _tell_at(self, peer: PublicKey, message: Digest, at: Millis) -> None:
        untold = self._untold.setdefault(peer, {}) if peer in self._neighbours else {}
        if len(untold) < UNTOLD_MAX:
            untold.setdefault(message, at)

    def _tell(self, now: Millis) -> tuple[Output, ...]:
        """Announce to each peer the oldest of what waits for it, unless it has learned of it since."""
        told: list[Output] = []
        for peer in [one for one in self._untold if not self._is_bad(one, now)]:
            untold = self._untold[peer]
            messages = tuple(islice(self._due(peer, untold, now), ANNOUNCE_MAX))
            if not untold:
                del self._untold[peer]
            if messages:
                told.append(Tell(peer=peer, messages=messages))
        return tuple(told)

    def _due(self, peer: PublicKey, untold: dict[Digest, Millis], now: Millis) -> Iterable[Digest]:
        """Take from the line what a peer needs word of, as far as it is our turn."""
        while untold:
            message = next(iter(untold))
            if untold[message] > now:
                return
            del untold[message]
            if not self._seen.is_marked(message, peer, Mark.KNOWS):
                self._seen.mark(message, peer, Mark.KNOWS)
                yield message

    def _note_teller(self, message: Digest, peer: PublicKey) -> None:
        self._seen.mark(message, peer, Mark.KNOWS)
        self._seen.mark(message, peer, Mark.TOLD_US)

    def _note_sent(self, message: Digest, peer: PublicKey) -> None:
        self._seen.mark(message, peer, Mark.KNOWS)
        self._seen.mark(message, peer, Mark.GOT)


def _asks(asks: Asks) -> tuple[Output, ...]:
    return tuple(Ask(peer=peer, messages=tuple(messages)) for peer, messages in asks.items())
