"""How nodes in one room agree on who founds their graph: a machine without IO, fed with what they see.

Each node tells the others who it is and whom it sees. Once nobody new has come for a while and all see the
same nodes, the one with the lowest key founds: it builds the genesis document, which the others fetch. One
that finds a chain of the graph's name founds nothing and follows that chain.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from typing import Annotated, Final, TypeAlias

import msgspec

from lc_node.chain.codec import Decoder, Record, encode
from lc_node.chain.crypto import Signer, digest, verify
from lc_node.chain.records import AtMostOne
from lc_node.chain.transactions import Resources
from lc_node.chain.types import ChainId, Digest, Link, Millis, MillisSpan, PublicKey, Signature
from lc_node.wire.session import TransportKey

CANDIDATES_MAX: Final = 64
"""Founders of one graph; a graph of more is founded by some of them, and joined by the rest."""
_COMPANY: Final = 2
_SETTLE: Final = MillisSpan(5_000)
_ABSENT: Final = MillisSpan(15_000)
_LINGER: Final = MillisSpan(60_000)
_STANDING_BYTES_MAX: Final = 34 * CANDIDATES_MAX + 1024


class Candidacy(Record):
    """What a node brings to a graph that is to be founded."""

    graph: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    key: PublicKey
    transport_key: TransportKey
    link: Link
    """The top of its beacon chain."""
    offers: Annotated[tuple[Resources, ...], AtMostOne]
    """What jobs may use of its machine; nothing if it takes none."""


class SignedCandidacy(Record):
    """A candidacy and the signature of its key."""

    candidacy: Candidacy
    signature: Signature


class Standing(Record):
    """The answer of ``Topic.FOUNDING``: who answers, whom it sees, and the chain it has by now."""

    signed: SignedCandidacy
    sees: Annotated[tuple[PublicKey, ...], msgspec.Meta(max_length=CANDIDATES_MAX)]
    """Itself among them, sorted."""
    has: Annotated[tuple[ChainId, ...], msgspec.Meta(max_length=1)]


STANDING_DECODER: Final = Decoder(Standing, what="Standing", bytes_max=_STANDING_BYTES_MAX)


def lobby_of(graph: str) -> ChainId:
    """Return what nodes greet by that have no chain yet: a name that no chain has."""
    return ChainId(digest("lc/lobby/1", graph.encode()))


def sign_candidacy(candidacy: Candidacy, signer: Signer) -> SignedCandidacy:
    """Return a candidacy with its signature."""
    return SignedCandidacy(candidacy=candidacy, signature=signer.sign(_message(candidacy)))


def _message(candidacy: Candidacy) -> Digest:
    return digest("lc/candidacy/1", encode(candidacy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Customs:
    """How patient the nodes are with each other."""

    settle: MillisSpan = _SETTLE
    """Nobody new came for so long: then all are taken to be there."""
    absent: MillisSpan = _ABSENT
    """Who has not been heard for so long has left."""
    linger: MillisSpan = _LINGER
    """Who has the document stays for so long, at most, until all others have it."""
    founders: int | None = None
    """So many found, exactly; None: whoever is there, if they are two at least."""


class Why(Enum):
    """What is waited for."""

    COMPANY = auto()
    """More nodes must come."""
    TOO_MANY = auto()
    """More have come than were to found."""
    LATECOMERS = auto()
    """Somebody came just now; more may."""
    SIGHT = auto()
    """Not all see each other yet."""
    FOUNDER = auto()
    """Another node is to found."""
    OTHERS = auto()
    """We have the document; somebody here has not."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do yet."""

    why: Why


@dataclass(frozen=True, slots=True)
class Found:
    """Build the document: with these, sorted by key."""

    candidacies: tuple[Candidacy, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get the document of this chain from whoever has it."""

    chain_id: ChainId


@dataclass(frozen=True, slots=True)
class Refuse:
    """There are several chains of the graph's name: only the owner can say which is meant."""

    chains: tuple[ChainId, ...]


@dataclass(frozen=True, slots=True)
class Leave:
    """Everybody here has the document: the node may begin."""


Step: TypeAlias = Wait | Found | Fetch | Refuse | Leave


class Founding:
    """One node's part; times are of a clock that is never set back."""

    def __init__(self, own: SignedCandidacy, customs: Customs, now: Millis) -> None:
        """Begin alone in the room."""
        self._own: Final = own
        self._me: Final = own.candidacy.key
        self._customs: Final = customs
        self._standings: dict[PublicKey, tuple[Standing, Millis]] = {}
        self._company: frozenset[PublicKey] = frozenset({self._me})
        self._company_since = now
        self._running: frozenset[ChainId] = frozenset()
        self._has: ChainId | None = None
        self._has_since = now

    @property
    def standing(self) -> Standing:
        """What we answer."""
        return Standing(
            signed=self._own,
            sees=tuple(sorted(self._company)),
            has=() if self._has is None else (self._has,),
        )

    @property
    def company(self) -> AbstractSet[PublicKey]:
        """Who is here, ourselves among them."""
        return self._company

    def hear(self, peer: PublicKey, standing: Standing, now: Millis) -> bool:
        """Take what a peer answered; False if it is not what a node of our graph answers."""
        candidacy = standing.signed.candidacy
        known = self._standings.get(peer)
        is_known = known is not None and known[0].signed == standing.signed
        if candidacy.key != peer or candidacy.graph != self._own.candidacy.graph:
            return False
        if not is_known and not verify(peer, _message(candidacy), standing.signed.signature):
            return False
        if known is not None or len(self._standings) < CANDIDATES_MAX - 1:
            self._standings[peer] = (standing, now)
        return True

    def see_chains(self, chains: Iterable[ChainId]) -> None:
        """Take note of the chains of our graph's name that nodes in the room run now."""
        self._running = frozenset(chains)

    def have(self, chain_id: ChainId, now: Millis) -> None:
        """Take note that we have the document of this chain: founded, or fetched."""
        self._has, self._has_since = chain_id, now

    def holders(self, chain_id: ChainId) -> tuple[PublicKey, ...]:
        """Return who here has the document of a chain, sorted."""
        return tuple(
            sorted(key for key, (said, _at) in self._standings.items() if chain_id in said.has)
        )

    def step(self, now: Millis) -> Step:
        """Return what to do now."""
        self._look_around(now)
        if self._has is not None:
            return self._part(now)
        chains = self._running.union(*(said.has for said, _at in self._standings.values()))
        if len(chains) > 1:
            return Refuse(tuple(sorted(chains)))
        if chains:
            return Fetch(min(chains))
        return self._gather(now)

    def _look_around(self, now: Millis) -> None:
        """Forget who has left, and note since when the company is what it is."""
        for peer, (_said, at) in list(self._standings.items()):
            if at + self._customs.absent < now:
                del self._standings[peer]
        company = frozenset({self._me, *self._standings})
        if company != self._company:
            self._company, self._company_since = company, now

    def _gather(self, now: Millis) -> Step:
        wanted = self._customs.founders
        if len(self._company) < (wanted or _COMPANY):
            return Wait(Why.COMPANY)
        if wanted is not None and len(self._company) > wanted:
            return Wait(Why.TOO_MANY)
        if min(self._company) != self._me:
            return Wait(Why.FOUNDER)
        # Who waits for a number need not wait for a time.
        if wanted is None and now < self._company_since + self._customs.settle:
            return Wait(Why.LATECOMERS)
        # Else two who do not see each other could both found with whom both see.
        if any(frozenset(said.sees) != self._company for said, _at in self._standings.values()):
            return Wait(Why.SIGHT)
        candidacies = {self._me: self._own.candidacy}
        candidacies |= {key: said.signed.candidacy for key, (said, _at) in self._standings.items()}
        return Found(tuple(candidacies[key] for key in sorted(candidacies)))

    def _part(self, now: Millis) -> Step:
        have_it = all(said.has for said, _at in self._standings.values())
        if have_it or now >= self._has_since + self._customs.linger:
            return Leave()
        return Wait(Why.OTHERS)
