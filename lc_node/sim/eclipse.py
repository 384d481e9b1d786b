"""Eclipse attacks on one node's choice of peers: an owner of many keys in few networks floods its address book.

The victim's own code (``wire.address_book``, ``wire.outbound``) on a virtual clock, from a seed; connections
are a word of who is dialed. The victim knows some honest nodes, is flooded with records for days while its
feelers go out, loses all connections at once, and dials again. It is eclipsed if every peer that it has
chosen in the end is the attacker's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from lc_node.chain.crypto import sha256
from lc_node.chain.types import ZERO_DIGEST, ChainId, Digest, Millis, PublicKey, Signature
from lc_node.sim.randomness import stream
from lc_node.wire.address_book import AddressBook
from lc_node.wire.endpoints import Endpoint, Host, Port
from lc_node.wire.known import Known
from lc_node.wire.outbound import FEELER_PAUSE, OUTBOUND_WANTED, Outbound, Situation, Why
from lc_node.wire.records import NodeRecord, SignedRecord
from lc_node.wire.session import TransportKey

_NETWORKS: Final = 80 * 256
"""So many /16 networks there are in this world."""
_HOUR_MS: Final = 3_600_000
_START: Final = Millis(1_800_000_000_000)
_RECONNECTING_MS: Final = 1_000
_RECONNECTING_MAX: Final = 120
_ME: Final = PublicKey(bytes(32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Siege:
    """An attacker and its victim."""

    attackers_networks: int
    """The /16 networks that the attacker has machines in."""
    attackers_keys: int = 4_000
    """Nodes of the attacker, spread over its networks; each answers when it is dialed."""
    invented: int = 4_000
    """Records of nodes that are nowhere, with hosts in any network."""
    honest: int = 300
    """Honest nodes in the world."""
    honest_networks: int = 200
    known: int = 50
    """Honest nodes that the victim has reached before the attack; of the others it has heard."""
    online_percent: int = 70
    """How many of the honest nodes are there at any time."""
    hours: int = 24
    """How long the flood lasts."""
    has_anchors: bool = False
    """Whether the victim remembers, and still reaches, some of the peers that it had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Whom the victim has chosen in the end."""

    seed: int
    chosen: int
    captured: int
    """Of the chosen, how many are the attacker's."""
    attackers_tried: int
    """How many of its nodes stand among those that the victim has reached."""

    @property
    def is_eclipsed(self) -> bool:
        """Whether nobody honest is among the chosen."""
        return self.captured == self.chosen


def besiege(
    siege: Siege, seed: int, make_book: Callable[[Digest], AddressBook] = AddressBook
) -> Outcome:
    """Return how a victim with such a book comes out of a siege."""
    run = _Run(siege, seed, make_book)
    run.learn()
    run.flood()
    run.feel()
    return run.restart()


@dataclass(slots=True, kw_only=True)
class _People:
    """Nodes by key: who is there when dialed."""

    hosts: dict[PublicKey, Host] = field(default_factory=dict)
    attackers: set[PublicKey] = field(default_factory=set)


class _Run:
    """One siege."""

    def __init__(
        self, siege: Siege, seed: int, make_book: Callable[[Digest], AddressBook]
    ) -> None:
        self._siege = siege
        self._seed = seed
        self._random: Random = stream(seed, "eclipse")
        self._book = make_book(sha256(f"secret {seed}".encode()))
        self._outbound = Outbound(self._book, self._random.randrange)
        self._people = _People()
        self._now = _START
        networks = self._random.sample(range(_NETWORKS), siege.honest_networks)
        self._honest = [self._node("honest", n, networks) for n in range(siege.honest)]
        abroad = self._random.sample(range(_NETWORKS), siege.attackers_networks)
        self._attackers = [self._node("evil", n, abroad) for n in range(siege.attackers_keys)]
        self._people.attackers.update(one.record.node_key for one in self._attackers)
        everywhere = range(_NETWORKS)
        self._invented = [self._node("nobody", n, everywhere) for n in range(siege.invented)]
        self._here: dict[PublicKey, Host] = {}
        """The peers that the victim has chosen and is connected to."""

    def learn(self) -> None:
        """Hear of all honest nodes from honest ones, reach some, and connect to a few of those."""
        for one in self._honest:
            self._book.add(one, self._host(self._random.choice(self._honest)), self._now)
        for one in self._honest[: self._siege.known]:
            self._book.attempt(one.record.node_key, self._now)
            self._book.good(one.record.node_key, self._host(one), self._now)
        for one in self._honest[:OUTBOUND_WANTED]:
            self._here[one.record.node_key] = self._host(one)

    def flood(self) -> None:
        """Hear of the attacker's nodes and inventions, from its machines, each as often as it takes."""
        told = [*self._attackers, *self._invented]
        self._random.shuffle(told)
        for one in told:
            self._book.add(one, self._host(self._random.choice(self._attackers)), self._now)

    def feel(self) -> None:
        """Let the hours go by, with nothing but feelers; the connections that there are stay."""
        hours_ms = self._siege.hours * _HOUR_MS
        for since in range(0, hours_ms, FEELER_PAUSE):
            self._now = Millis(_START + since)
            for peer, host in self._here.items():
                self._book.good(peer, host, self._now)
            for dial in self._outbound.next(self._situation()):
                self._dial(dial.known)

    def restart(self) -> Outcome:
        """Lose every connection, and dial until there are as many as are wanted."""
        anchors = tuple(self._here) if self._siege.has_anchors else ()
        self._here.clear()
        self._outbound = Outbound(self._book, self._random.randrange, anchors)
        for _ in range(_RECONNECTING_MAX):
            self._now = Millis(self._now + _RECONNECTING_MS)
            for dial in self._outbound.next(self._situation()):
                if self._dial(dial.known) and dial.why is not Why.FEELER:
                    self._here[dial.known.key] = self._people.hosts[dial.known.key]
        chosen = tuple(self._here)
        return Outcome(
            seed=self._seed,
            chosen=len(chosen),
            captured=sum(peer in self._people.attackers for peer in chosen),
            attackers_tried=sum(self._book.is_tried(peer) for peer in self._people.attackers),
        )

    def _dial(self, known: Known) -> bool:
        """Dial a node; return whether it has answered."""
        self._book.attempt(known.key, self._now)
        host = self._people.hosts.get(known.key)
        if host is None:
            return False
        if known.key not in self._people.attackers and not self._is_online():
            return False
        self._book.good(known.key, host, self._now)
        return True

    def _is_online(self) -> bool:
        return self._random.randrange(100) < self._siege.online_percent

    def _situation(self) -> Situation:
        return Situation(
            now=self._now,
            me=_ME,
            connected=self._here,
            dialed=dict.fromkeys(self._here, Why.OUTBOUND),
            validators=frozenset(),
            is_banned=lambda _key: False,
        )

    def _node(self, kind: str, number: int, networks: Sequence[int]) -> SignedRecord:
        """Make a node somewhere in these networks; the book does not look at signatures."""
        network, within = self._random.choice(networks), self._random.randrange(65_536)
        host = Host(f"{20 + network // 256}.{network % 256}.{within // 256}.{within % 256}")
        key = PublicKey(sha256(f"{kind} {number} {self._seed}".encode()))
        if kind != "nobody":
            self._people.hosts[key] = host
        record = NodeRecord(
            chain_id=ChainId(ZERO_DIGEST),
            node_key=key,
            transport_key=TransportKey(bytes(32)),
            endpoints=(Endpoint(host=host, port=Port(4040)),),
            sequence=_START,
        )
        return SignedRecord(record=record, signature=Signature(bytes(64)))

    def _host(self, signed: SignedRecord) -> Host:
        return signed.record.endpoints[0].host
