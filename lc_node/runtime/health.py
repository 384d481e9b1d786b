"""Why a node is behind, or will be: from what is known of it to ordered findings with a remedy each.

Pure: ``runtime.vitals`` gathers the facts. The worst comes first; what one finding explains is not told twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby
from typing import Final

from lc_node.chain.addresses import encode_address
from lc_node.chain.types import ByteCount, Height, Millis, MillisSpan, PublicKey, Weight
from lc_node.ports.transport import Refusal

BEHIND_BLOCKS: Final = 2
"""A node that is so far behind what a peer shows is merely a message late."""
SILENT_HEARTBEATS: Final = 3
"""No block for so long means that the chain stands: an idle one makes one every heartbeat."""
SPEECHLESS: Final = MillisSpan(5_000)
"""While the chain stands, votes are repeated every second: who was not heard for so long does not vote."""
CLOCK_OFF: Final = MillisSpan(2_000)
"""Clocks may differ by half a second; the blocks' way here takes the rest."""
DISK_LOW: Final = ByteCount(1024**3)
DISK_FULL: Final = ByteCount(64 * 1024**2)
_NAMES_MAX: Final = 5
_NAME_CHARS: Final = 12


class Level(IntEnum):
    """How bad it is; ordered."""

    TROUBLE = 1
    """The node does not do what it is there for."""
    WARNING = 2
    """It soon may not."""
    NOTE = 3
    """Something takes its time, or is amiss elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the owner should know, and what to do about it."""

    code: str
    """A stable name, for programs."""
    level: Level
    text: str
    remedy: str
    """Empty: it passes by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFacts:
    """A peer that is up, or that we try to reach."""

    peer: PublicKey
    is_up: bool
    height: Height | None
    refusal: Refusal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Voter:
    """A validator of the current epoch, as far as it is heard."""

    key: PublicKey
    weight: Weight
    voted_at: Millis | None
    """When a vote of it last came in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the findings follow from."""

    now: Millis
    me: PublicKey
    started: Millis
    height: Height
    block_time: Millis
    blocks_per_second: float
    """Made final here in the last ten seconds."""
    clock_ahead: int | None
    """Milliseconds that our clock is ahead of those of other validators; None: nobody to compare with."""
    peers: Sequence[PeerFacts]
    voters: Sequence[Voter]
    quorum: Weight
    heartbeat: MillisSpan
    """How often an idle chain makes a block."""
    may_sign: bool
    paused_for: str
    """How this node catches up, in words; empty if the agreement does."""
    is_banned: bool
    disk_free: ByteCount
    pending: int
    pending_max: int
    """Transactions in the mempool, and how many find room."""

    @property
    def up(self) -> tuple[PeerFacts, ...]:
        """The peers with a session."""
        return tuple(peer for peer in self.peers if peer.is_up)

    @property
    def network_height(self) -> Height:
        """The highest height that a connected peer has shown, or ours."""
        return max((peer.height or Height(0) for peer in self.up), default=Height(0))

    @property
    def is_behind(self) -> bool:
        """Whether others have blocks that we lack."""
        return self.network_height > self.height + BEHIND_BLOCKS

    @property
    def is_silent(self) -> bool:
        """Whether nothing became final for so long that the chain stands."""
        since = max(self.block_time, self.started)
        return self.now - since > SILENT_HEARTBEATS * self.heartbeat

    def hears(self, voter: Voter) -> bool:
        """Return whether a validator is there: ourselves, connected, or heard voting through others."""
        is_up = voter.key == self.me or any(peer.peer == voter.key for peer in self.up)
        return is_up or _votes(voter, self)

    @property
    def is_alone(self) -> bool:
        """Whether no peer is connected although there are other validators."""
        return not self.up and any(voter.key != self.me for voter in self.voters)


def explain(facts: Facts) -> tuple[Finding, ...]:
    """Return what keeps a node behind, or may: the worst first, nothing if all is well."""
    found = [finding for look in _LOOKS for finding in look(facts)]
    return tuple(sorted(found, key=lambda finding: finding.level))


def remedy_for(refusal: Refusal) -> str:
    """Return what to do about a peer that refuses us."""
    return _REMEDIES.get(refusal, "see that node's log")


def _banned(facts: Facts) -> Iterator[Finding]:
    if facts.is_banned:
        yield Finding(
            code="banned",
            level=Level.TROUBLE,
            text="the chain has banned this key for a proved lie; its bond is burned, peers hang up on it",
            remedy="begin anew with another key: `lc-node init --home ...`",
        )


def _signing(facts: Facts) -> Iterator[Finding]:
    is_voter = any(voter.key == facts.me for voter in facts.voters)
    if is_voter and not facts.may_sign:
        yield Finding(
            code="signing_stopped",
            level=Level.TROUBLE,
            text="this validator signs no more in this epoch: the record of its votes was lost, or its key "
            "votes elsewhere",
            remedy="stop any other node with this key; it votes again in the next epoch. "
            "Never restore an old votes.db",
        )


def _disk(facts: Facts) -> Iterator[Finding]:
    if facts.disk_free >= DISK_LOW:
        return
    is_full = facts.disk_free < DISK_FULL
    yield Finding(
        code="disk_full" if is_full else "disk_low",
        level=Level.TROUBLE if is_full else Level.WARNING,
        text=f"{facts.disk_free / 1024**2:,.0f} MiB are free where the node keeps its chain",
        remedy="free some, or lower `blobs_bytes_max` in config.toml (blobs can be fetched again)",
    )


def _alone(facts: Facts) -> Iterator[Finding]:
    if facts.is_alone and not any(peer.refusal for peer in facts.peers):
        yield Finding(
            code="no_peers",
            level=Level.TROUBLE,
            text="no peer is connected",
            remedy="wait a moment if the node has just started; else list a peer in config.toml, "
            "[[network.peers]], and look at the network and the firewall",
        )


def _refused(facts: Facts) -> Iterator[Finding]:
    """Name why peers refuse us: what keeps us alone is trouble, one that is away is a note."""
    refusing = sorted(
        (peer.refusal, peer.peer) for peer in facts.peers if peer.refusal and not peer.is_up
    )
    for refusal, group in groupby(refusing, key=lambda one: one[0]):
        names = _names([key for _, key in group])
        yield Finding(
            code=f"refused_{refusal.name.lower()}",
            level=Level.TROUBLE if facts.is_alone else Level.NOTE,
            text=f"no session with {names}: {refusal.words}",
            remedy=remedy_for(refusal),
        )


def _behind(facts: Facts) -> Iterator[Finding]:
    if not facts.is_behind:
        return
    missing = facts.network_height - facts.height
    sources = sum((peer.height or 0) > facts.height for peer in facts.up)
    rate = facts.blocks_per_second
    if facts.paused_for:
        yield Finding(
            code="catching_up",
            level=Level.NOTE,
            text=f"behind: {missing:,} blocks; {facts.paused_for}",
            remedy="",
        )
    elif rate:
        yield Finding(
            code="syncing",
            level=Level.NOTE,
            text=f"behind: {missing:,} blocks; syncing from {_count(sources, 'peer')}, {rate:,.0f} blocks/s, "
            f"about {max(1, round(missing / rate)):,} s left",
            remedy="",
        )
    elif facts.now - facts.started > SILENT_HEARTBEATS * facts.heartbeat:
        yield Finding(
            code="not_syncing",
            level=Level.TROUBLE,
            text=f"behind: {missing:,} blocks, and none has come for a while although "
            f"{_count(sources, 'peer')} have more",
            remedy="restart the node; if that does not help, its log at level debug says what it refuses",
        )


def _stalled(facts: Facts) -> Iterator[Finding]:
    """Name who is missing: nothing becomes final without more than two thirds of the weight."""
    if not facts.is_silent or facts.is_behind:
        return
    absent = [voter for voter in facts.voters if not facts.hears(voter)]
    here = sum(voter.weight for voter in facts.voters) - sum(voter.weight for voter in absent)
    if here < facts.quorum:
        yield Finding(
            code="no_quorum",
            level=Level.TROUBLE,
            text=f"stalled: validators with {_share(absent, facts)} of the weight are not connected: "
            f"{_names([voter.key for voter in absent])}",
            remedy="more than 2/3 of the weight must be online: start them again",
        )
        return
    mute = [voter for voter in facts.voters if voter.key != facts.me and not _votes(voter, facts)]
    text = "stalled although enough validators are connected"
    if mute:
        text += (
            f": no vote is heard of {_names([voter.key for voter in mute])}, "
            f"{_share(mute, facts)} of the weight"
        )
    yield Finding(
        code="stalled",
        level=Level.TROUBLE,
        text=text,
        remedy="look at `lc-node status` on these: a clock that is off, a full disk, an overloaded machine",
    )


def _clock(facts: Facts) -> Iterator[Finding]:
    ahead = facts.clock_ahead
    if ahead is None or abs(ahead) < CLOCK_OFF or facts.is_behind:
        return
    way = "ahead of" if ahead > 0 else "behind"
    yield Finding(
        code="clock_off",
        level=Level.WARNING,
        text=f"your clock is {abs(ahead) / 1000:.0f} s {way} the validators'",
        remedy="set it by NTP: `timedatectl set-ntp true`",
    )


def _mempool(facts: Facts) -> Iterator[Finding]:
    if facts.pending >= facts.pending_max:
        yield Finding(
            code="mempool_full",
            level=Level.WARNING,
            text=f"{facts.pending:,} transactions wait for a block: there is no room for more of small accounts",
            remedy="" if not facts.is_silent else "they go on when the chain does",
        )


_LOOKS: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    _banned,
    _signing,
    _disk,
    _alone,
    _refused,
    _behind,
    _stalled,
    _clock,
    _mempool,
)
"""In the order in which findings of one level are told: causes before what follows of them."""

_REMEDIES: Final = {
    Refusal.OTHER_CHAIN: "it follows another genesis: use the same genesis file on both",
    Refusal.OTHER_VERSION: "upgrade the older of the two",
    Refusal.BAD_PROOF: "its keys do not belong together: its owner looks at `lc-node key show`",
    Refusal.OTHER_NODE: "somebody else answers at that address: correct it in config.toml",
    Refusal.OWN_KEY: "another node runs with this key: stop one of the two at once",
    Refusal.BANNED: "it hung up on this node: a ban for misbehaviour ends after ten minutes, one by the chain never",
    Refusal.FULL: "it has no room for more peers: list another one",
    Refusal.GREET_FIRST: "it had lost the session: it is tried again",
    Refusal.MALFORMED: "it speaks otherwise: upgrade the older of the two",
    Refusal.NOT_INVITED: "its graph is private: ask one of its owners for an invitation (`lc-node invite`)",
    Refusal.NO_ANSWER: "is it running, is its port open, is the transport key that of `lc-node key show` there?",
}


def _votes(voter: Voter, facts: Facts) -> bool:
    """Return whether a validator was heard lately."""
    patience = max(SPEECHLESS, facts.heartbeat)
    return voter.voted_at is not None and facts.now - voter.voted_at <= patience


def _share(some: Sequence[Voter], facts: Facts) -> str:
    total = sum(voter.weight for voter in facts.voters)
    return f"{100 * sum(voter.weight for voter in some) / total:.0f} %"


def _names(keys: Sequence[PublicKey]) -> str:
    shown = ", ".join(f"{encode_address(key)[:_NAME_CHARS]}..." for key in keys[:_NAMES_MAX])
    more = len(keys) - _NAMES_MAX
    return f"{shown} and {more} more" if more > 0 else shown


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
