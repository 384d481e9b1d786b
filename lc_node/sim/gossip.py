"""Transactions spreading through hundreds of nodes on a virtual clock: the code of ``wire.mesh`` itself."""

import heapq
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from lc_node.chain.types import Digest, Millis, MillisSpan, PublicKey
from lc_node.sim.network import FAST_MS
from lc_node.sim.randomness import stream
from lc_node.wire.gossip import message_id
from lc_node.wire.limits import PEERS_MAX
from lc_node.wire.mesh import HEARTBEAT, Ask, Blame, Mesh, Output, Push, Quieten, Tell
from lc_node.wire.score import CLEAN, Offence, Score

OUTBOUND: Final = 8
"""Peers that a node dials."""
FINALITY: Final = MillisSpan(1_500)
"""How long a transaction waits for its block in a healthy network, generously."""
_START: Final = Millis(1_000_000)
_GAP: Final = MillisSpan(1_000)
"""Between two transactions: each is announced on its own, which is the dearest case."""
_REST: Final = MillisSpan(3_000)
"""After the last transaction, in which what is still to be announced is counted."""
_TAIL: Final = MillisSpan(30_000)
"""Within which the last transaction has to be everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GossipScenario:
    """What a run is like."""

    nodes: int
    transactions: int = 10
    loss: float = 0.0
    """Share of frames lost."""
    silent: float = 0.0
    """Share of nodes that pass nothing on and never answer."""
    boasting: float = 0.0
    """Share of nodes that announce what they hear of, and never deliver."""
    final_after: MillisSpan = FINALITY
    """How long a transaction waits for its block; until then, nodes remind each other of it."""
    is_flood: bool = False
    """For comparison: each node sends everything to all its peers that did not send it."""


@dataclass(slots=True, kw_only=True)
class GossipRun:
    """What came of a run."""

    scenario: GossipScenario
    seed: int
    honest: int
    frames: Counter[str] = field(default_factory=Counter)
    """What honest nodes sent, by kind."""
    delays: list[int] = field(default_factory=list)
    """For each honest node and transaction, milliseconds from its publishing to its arrival."""
    unreached: int = 0
    """Pairs of an honest node and a transaction that did not find each other."""
    offences: Counter[tuple[Offence, bool]] = field(default_factory=Counter)
    """Offences, and whether it was an honest node that was blamed."""
    blamed: dict[int, int] = field(default_factory=dict)
    """The highest score that any peer has ever given each node."""

    @property
    def frames_per_transaction(self) -> float:
        """Frames that an honest node sends for each transaction, of all kinds."""
        return self.frames.total() / (self.honest * self.scenario.transactions)

    def delay(self, percent: int) -> int:
        """Return the delay that so many percent of the deliveries do not exceed."""
        ordered = sorted(self.delays)
        return ordered[(len(ordered) - 1) * percent // 100]


def run_gossip(scenario: GossipScenario, seed: int) -> GossipRun:
    """Spread some transactions, one after the other, from honest nodes; the same seed gives the same run."""
    world = _World(scenario, seed)
    return world.run()


def draw_graph(nodes: int, rng: Random) -> tuple[tuple[int, ...], ...]:
    """Return whom each node dials: strangers at random, until it has enough or all others are full."""
    degrees = [0] * nodes
    linked: set[tuple[int, int]] = set()
    dialed: list[tuple[int, ...]] = []
    for node in range(nodes):
        chosen: list[int] = []
        for other in rng.sample(range(nodes), nodes):
            pair = (min(node, other), max(node, other))
            if len(chosen) == OUTBOUND or degrees[node] == PEERS_MAX:
                break
            if other != node and pair not in linked and degrees[other] < PEERS_MAX:
                linked.add(pair)
                degrees[node] += 1
                degrees[other] += 1
                chosen.append(other)
        dialed.append(tuple(chosen))
    return tuple(dialed)


class _Node:
    """A node's mesh and what it makes of its outputs; honest unless told otherwise."""

    def __init__(self, world: "_World", number: int) -> None:
        self.number = number
        self.world = world
        self.scores: dict[PublicKey, Score] = {}
        rng = world.stream("node", number)
        self.mesh = Mesh(_key(number), rng.randrange, self._is_bad)
        self.peers: set[int] = set()
        self.has: set[Digest] = set()

    @property
    def is_honest(self) -> bool:
        return True

    def publish(self, message: Digest) -> None:
        self._keep(message)
        outputs = self.mesh.publish(message, self.world.now)
        if self.world.scenario.is_flood:
            self._flood(message, None)
        else:
            self._perform(outputs)

    def hear(self, sender: int, frame: Push | Tell | Ask | Quieten) -> None:
        """Take a frame as the runtime does; a transaction is always found good."""
        peer, now = _key(sender), self.world.now
        match frame:
            case Push(message=message):
                self._hear_message(sender, message)
            case Tell(messages=messages):
                self._perform(self.mesh.announced(peer, messages, now))
            case Ask(messages=messages):
                for message in self.mesh.wanted(peer, messages):
                    self.world.send(self.number, sender, Push(peers=(), message=message))
            case Quieten():
                self.mesh.pruned_by(peer, now)

    def beat(self) -> None:
        self._perform(self.mesh.heartbeat(self.world.now, self._pending))

    def _pending(self) -> list[Digest]:
        return [message for message in self.world.pending() if message in self.has]

    def _hear_message(self, sender: int, message: Digest) -> None:
        is_new, outputs = self.mesh.received(_key(sender), message, self.world.now)
        self._perform(() if self.world.scenario.is_flood else outputs)
        if is_new:
            self._keep(message)
            self._pass_on(sender, message)

    def _keep(self, message: Digest) -> None:
        assert message not in self.has, "a message is judged once"
        self.has.add(message)
        self.world.arrived(self.number, message)

    def _pass_on(self, sender: int, message: Digest) -> None:
        if self.world.scenario.is_flood:
            self._flood(message, sender)
        else:
            self._perform(self.mesh.accepted(message, self.world.now))

    def _flood(self, message: Digest, sender: int | None) -> None:
        for peer in sorted(self.peers - {sender}):
            self.world.send(self.number, peer, Push(peers=(), message=message))

    def _perform(self, outputs: Sequence[Output]) -> None:
        for output in outputs:
            match output:
                case Push(peers=peers):
                    for peer in peers:
                        self.world.send(self.number, _number(peer), output)
                case Blame(peer=peer, offence=offence):
                    self._blame(peer, offence)
                case _:
                    self.world.send(self.number, _number(output.peer), output)

    def _blame(self, peer: PublicKey, offence: Offence) -> None:
        now = self.world.now
        self.scores[peer] = self.scores.get(peer, CLEAN).after(offence, now)
        self.world.was_blamed(_number(peer), offence, self.scores[peer].points_at(now))

    def _is_bad(self, peer: PublicKey, now: Millis) -> bool:
        score = self.scores.get(peer)
        return score is not None and score.is_bad(now)


class _Silent(_Node):
    """Hears everything and says nothing."""

    @property
    def is_honest(self) -> bool:
        return False

    def _perform(self, outputs: Sequence[Output]) -> None:
        del outputs

    def hear(self, sender: int, frame: Push | Tell | Ask | Quieten) -> None:
        if not isinstance(frame, Ask):
            super().hear(sender, frame)


class _Boasting(_Silent):
    """Announces to all its peers whatever it hears of, and never delivers."""

    def __init__(self, world: "_World", number: int) -> None:
        super().__init__(world, number)
        self._boasted: set[Digest] = set()

    def hear(self, sender: int, frame: Push | Tell | Ask | Quieten) -> None:
        del sender
        match frame:
            case Push(message=message):
                self._boast((message,))
            case Tell(messages=messages):
                self._boast(messages)
            case _:
                return

    def _boast(self, messages: Sequence[Digest]) -> None:
        news = tuple(message for message in messages if message not in self._boasted)
        self._boasted.update(news)
        for peer in sorted(self.peers if news else ()):
            self.world.send(self.number, peer, Tell(peer=_key(peer), messages=news))


class _World:
    """The clock, the links, and the account of what arrived."""

    def __init__(self, scenario: GossipScenario, seed: int) -> None:
        self.scenario = scenario
        self.now = _START
        self._seed = seed
        self._links = self.stream("links")
        self._queue: list[tuple[Millis, int, Callable[[], None]]] = []
        self._count = 0
        self._published: dict[Digest, Millis] = {}
        self.nodes = self._cast()
        self._connect()
        self._run = GossipRun(
            scenario=scenario, seed=seed, honest=sum(node.is_honest for node in self.nodes)
        )

    def stream(self, *names: object) -> Random:
        return stream(self._seed, "gossip", *names)

    def run(self) -> GossipRun:
        honest = [node for node in self.nodes if node.is_honest]
        expected = len(honest) * self.scenario.transactions
        authors = self.stream("authors")
        for number in range(self.scenario.transactions):
            author, message = authors.choice(honest), message_id(number.to_bytes(4, "big"))
            at = Millis(_START + number * _GAP)
            self._published[message] = at
            self._at(at, partial(author.publish, message))
        last = _START + self.scenario.transactions * _GAP
        phases = self.stream("phases")
        for node in honest:
            self._at(Millis(_START + phases.randrange(HEARTBEAT)), partial(self._beat, node))
        while self.now < last + (_REST if len(self._run.delays) == expected else _TAIL):
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self._run.unreached = expected - len(self._run.delays)
        return self._run

    def send(self, sender: int, receiver: int, frame: Push | Tell | Ask | Quieten) -> None:
        """Carry a frame, or lose it."""
        if self.nodes[sender].is_honest:
            self._run.frames[type(frame).__name__.lower()] += 1
        if self._links.random() >= self.scenario.loss:
            delay = self._links.randint(*FAST_MS)
            hear = partial(self.nodes[receiver].hear, sender, frame)
            self._at(Millis(self.now + delay), hear)

    def arrived(self, number: int, message: Digest) -> None:
        """Record that a node has a message."""
        if self.nodes[number].is_honest:
            self._run.delays.append(self.now - self._published[message])

    def pending(self) -> list[Digest]:
        """Return the transactions that are published and not final yet."""
        return [
            message
            for message, at in self._published.items()
            if at <= self.now < at + self.scenario.final_after
        ]

    def was_blamed(self, number: int, offence: Offence, points: int) -> None:
        """Record an offence that some node counts against another."""
        self._run.offences[offence, self.nodes[number].is_honest] += 1
        self._run.blamed[number] = max(points, self._run.blamed.get(number, 0))

    def _cast(self) -> tuple[_Node, ...]:
        scenario, numbers = self.scenario, list(range(self.scenario.nodes))
        self.stream("cast").shuffle(numbers)
        silent = set(numbers[: int(scenario.silent * scenario.nodes)])
        boasting = set(numbers[len(silent) :][: int(scenario.boasting * scenario.nodes)])
        return tuple(
            (_Silent if n in silent else _Boasting if n in boasting else _Node)(self, n)
            for n in range(scenario.nodes)
        )

    def _connect(self) -> None:
        for node, dialed in enumerate(draw_graph(self.scenario.nodes, self.stream("graph"))):
            for other in dialed:
                for one, peer, is_dialed in ((node, other, True), (other, node, False)):
                    self.nodes[one].peers.add(peer)
                    self.nodes[one].mesh.joined(_key(peer), is_dialed=is_dialed, now=self.now)

    def _beat(self, node: _Node) -> None:
        node.beat()
        self._at(Millis(self.now + HEARTBEAT), partial(self._beat, node))

    def _at(self, at: Millis, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, action))


def _key(number: int) -> PublicKey:
    return PublicKey(number.to_bytes(32, "big"))


def _number(key: PublicKey) -> int:
    return int.from_bytes(key, "big")
