"""Transactions between us and our peers: what ``wire.mesh`` decides is done here, as time goes by."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Protocol, TypeAlias, assert_never

from lc_node.adapters.inbox import Inbox
from lc_node.chain.types import ByteCount, Digest, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.wire.gossip import message_id
from lc_node.wire.kinds import Kind
from lc_node.wire.limits import RECENT_BYTES, RECENT_MESSAGES, TRANSACTIONS
from lc_node.wire.mesh import HEARTBEAT, Ask, Blame, Mesh, Output, Push, Quieten, Tell
from lc_node.wire.messages import (
    Announce,
    Frame,
    Message,
    Prune,
    Transactions,
    Want,
    encode_message,
)
from lc_node.wire.neighbours import Draw
from lc_node.wire.rate import Pace
from lc_node.wire.recent import Recent
from lc_node.wire.score import Offence, Verdict
from lc_node.wire.together import Named, together

_OWN_PERCENT: Final = 75
"""Of what a peer admits, as much is sent: what is held up on the way and comes together is no flood."""
_AT_ONCE_MAX: Final = 32
"""Transactions judged before others in the event loop have their turn; what is to be pushed of them goes together."""

Gossip: TypeAlias = Transactions | Announce | Want | Prune


class Judge(Protocol):
    """Whoever knows transactions (``runtime.network.Handlers``)."""

    async def on_transaction(self, peer: PublicKey, raw: bytes) -> Verdict:
        """Offer a transaction to the mempool; ACCEPT passes it on to other peers."""
        ...

    def pending(self) -> Iterable[Digest]:
        """Return the names (``wire.gossip.message_id``) of the transactions that wait for a block."""
        ...

    def transaction(self, name: Digest) -> bytes | None:
        """Return a waiting transaction, None if it waits no more."""
        ...


class Speaker(Protocol):
    """Whoever reaches the peers (``runtime.network.Network``)."""

    def tell(self, peer: PublicKey, message: Message) -> bool:
        """Send a message to a peer; False if it was dropped."""
        ...

    def send_frame(self, peer: PublicKey, frame: Frame) -> bool:
        """Send a bulk frame that is encoded already; False if it was dropped."""
        ...

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        """Count an offence of a peer."""
        ...

    def is_bad(self, peer: PublicKey, now: Millis) -> bool:
        """Return whether a peer has misbehaved too much to be relied upon."""
        ...


class Spreading:
    """Hears transactions, has them judged, and passes the good ones on."""

    def __init__(self, me: PublicKey, speaker: Speaker, clock: Clock, draw: Draw) -> None:
        """Prepare; nothing is passed on before ``run``."""
        self._speaker = speaker
        self._clock = clock
        self._mesh: Final = Mesh(me, draw, speaker.is_bad)
        self._recent: Final = Recent(RECENT_MESSAGES, RECENT_BYTES)
        self._waiting: Final = Inbox[Named](TRANSACTIONS)
        self._paces: dict[PublicKey, Pace] = {}
        self.verdicts: Final[Counter[Verdict]] = Counter()
        """What became of peers' transactions, for the metrics."""

    async def run(self, judge: Judge) -> None:
        """Pass transactions on until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._judge_all(judge))
            tasks.create_task(self._beat(judge))

    def __len__(self) -> int:
        """Return how many transactions wait to be judged."""
        return len(self._waiting)

    @property
    def dropped(self) -> int:
        """How many found no room to wait."""
        return self._waiting.dropped

    def joined(self, peer: PublicKey, *, is_dialed: bool, pending: Iterable[Digest]) -> None:
        """Take up a peer, and announce to it what it cannot have heard of."""
        now = self._clock.now()
        self._paces[peer] = Pace(Kind.TRANSACTIONS, now, percent=_OWN_PERCENT)
        self._mesh.joined(peer, is_dialed=is_dialed, now=now)
        self._mesh.offer(peer, pending)

    def left(self, peer: PublicKey) -> None:
        """Forget a peer."""
        self._paces.pop(peer, None)
        self._mesh.left(peer, self._clock.now())

    def broadcast(self, raw: bytes) -> int:
        """Send a transaction to every peer not known to have it; return how many took it."""
        name = message_id(raw)
        self._recent.keep(name, raw)
        return self._perform(self._mesh.publish(name, self._clock.now()))

    def some_of(self, peers: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
        """Return a few of the peers, mostly the same ones: whom news are pushed to."""
        return self._mesh.some_of(peers, self._clock.now())

    def hear(self, peer: PublicKey, message: Gossip, judge: Judge) -> None:
        """Take what a peer says about transactions."""
        now = self._clock.now()
        match message:
            case Transactions(raws=raws):
                for raw in raws:
                    self._hear_transaction(peer, raw, now)
            case Announce(messages=names):
                self._perform(self._mesh.announced(peer, names, now))
            case Want(messages=names):
                self._deliver(peer, self._mesh.wanted(peer, names), judge)
            case Prune():
                self._mesh.pruned_by(peer, now)

    def _hear_transaction(self, peer: PublicKey, raw: bytes, now: Millis) -> None:
        """Queue a transaction that we have not seen."""
        name = message_id(raw)
        is_new, outputs = self._mesh.received(peer, name, now)
        self._perform(outputs)
        if is_new and not self._waiting.put(peer, (name, raw), len(raw)):
            self._mesh.dropped(name, now)

    def _deliver(self, peer: PublicKey, names: Iterable[Digest], judge: Judge) -> None:
        found = ((name, self._recent.get(name) or judge.transaction(name)) for name in names)
        self._send(peer, [(name, raw) for name, raw in found if raw is not None])

    async def _judge_all(self, judge: Judge) -> None:
        while True:
            await self._judge_some(judge)
            await asyncio.sleep(0)

    async def _judge_some(self, judge: Judge) -> None:
        """Wait for a transaction, and judge it and what else is there; then pass on what was found good."""
        outputs: list[Output] = []
        peer, message = await self._waiting.take()
        for _ in range(_AT_ONCE_MAX - 1):
            outputs += await self._judge(judge, peer, message)
            if (taken := self._waiting.next()) is None:
                break
            peer, message = taken
        else:
            outputs += await self._judge(judge, peer, message)
        self._perform(outputs)

    async def _judge(self, judge: Judge, peer: PublicKey, message: Named) -> tuple[Output, ...]:
        name, raw = message
        verdict = await judge.on_transaction(peer, raw)
        self.verdicts[verdict] += 1
        now = self._clock.now()
        match verdict:
            case Verdict.ACCEPT:
                self._recent.keep(name, raw)
                return self._mesh.accepted(name, now)
            case Verdict.IGNORE:
                self._mesh.ignored(name, now)
            case Verdict.REJECT:
                self._speaker.offend(peer, Offence.REJECTED)
        return ()

    async def _beat(self, judge: Judge) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT / 1_000)
            self._perform(self._mesh.heartbeat(self._clock.now(), judge.pending))

    def _perform(self, outputs: Iterable[Output]) -> int:
        """Do what the mesh wants; return how often a transaction was sent to a peer."""
        pushed: defaultdict[PublicKey, list[Named]] = defaultdict(list)
        for output in outputs:
            match output:
                case Push(peers=peers, message=name):
                    raw = self._recent.get(name)
                    assert raw is not None, "what is pushed was kept the moment before"
                    for peer in peers:
                        pushed[peer].append((name, raw))
                case Tell(peer=peer, messages=names):
                    self._speaker.tell(peer, Announce(messages=names))
                case Ask(peer=peer, messages=names):
                    self._speaker.tell(peer, Want(messages=names))
                case Quieten(peer=peer):
                    self._speaker.tell(peer, Prune())
                case Blame(peer=peer, offence=offence):
                    self._speaker.offend(peer, offence)
                case _:
                    assert_never(output)
        return sum(self._send(peer, messages) for peer, messages in pushed.items())

    def _send(self, peer: PublicKey, messages: Sequence[Named]) -> int:
        """Send transactions, several in a frame; return how many of them went."""
        return sum(self._send_frame(peer, batch) for batch in together(messages))

    def _send_frame(self, peer: PublicKey, batch: Sequence[Named]) -> int:
        """Send a frame, unless that is too much at a time: then it is announced (again) later."""
        frame = encode_message(Transactions(raws=tuple(raw for _, raw in batch)))
        pace, size = self._paces.get(peer), ByteCount(len(frame))
        may_send = pace is not None and pace.admits(size, self._clock.now(), messages=len(batch))
        if may_send and self._speaker.send_frame(peer, frame):
            return len(batch)
        for name, _ in batch:
            self._mesh.not_sent(name, peer)
        return 0
