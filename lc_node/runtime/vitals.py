"""What a node notices of its own health while it runs: how fast blocks come, whose votes, how clocks differ."""

import shutil
from collections import deque
from pathlib import Path
from statistics import median_low
from typing import Final, Protocol

from lc_node.chain.types import ByteCount, Millis, MillisSpan, PublicKey
from lc_node.consensus.params import VALIDATORS_MAX
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.ports.clock import Clock
from lc_node.runtime.health import Facts, PeerFacts, Voter
from lc_node.runtime.ledger import Finalized, Ledger
from lc_node.runtime.network import Network

RATE_SPAN: Final = MillisSpan(10_000)
"""Over so long the rate of blocks is counted."""
OFFSETS_KEPT: Final = 4
"""Blocks of each validator whose times are compared with our clock: the fastest came with the least delay."""
_ARRIVALS_MAX: Final = 100_000


class Votes(Protocol):
    """Who follows the agreement (``runtime.agreement.Agreement``)."""

    @property
    def validators(self) -> ValidatorSet:
        """Who votes in the current epoch."""
        ...

    @property
    def may_sign(self) -> bool:
        """Whether this node votes."""
        ...

    @property
    def paused_for(self) -> str:
        """What is done instead of taking part, in words; empty while this node does."""
        ...

    def voted_at(self, key: PublicKey) -> Millis | None:
        """Return when a vote of a validator last came in."""
        ...


class Vitals:
    """Hears every final block, and gathers the facts when asked."""

    def __init__(
        self,
        *,
        me: PublicKey,
        ledger: Ledger,
        network: Network,
        votes: Votes,
        clock: Clock,
        home: Path,
    ) -> None:
        """Begin to listen."""
        self.me: Final = me
        self._ledger = ledger
        self._network = network
        self._votes = votes
        self._clock = clock
        self.home: Final = home
        self._started = clock.now()
        self._arrivals: deque[Millis] = deque(maxlen=_ARRIVALS_MAX)
        self._offsets: dict[PublicKey, deque[int]] = {}
        self._last = ledger.tip
        self.blocks = 0
        """Made final in this life."""
        self.transactions = 0
        """In these blocks."""
        self.skipped_views = 0
        """Without a block of their own, between these blocks."""
        ledger.hear(self._on_finalized)

    def facts(self) -> Facts:
        """Return what is known now."""
        ledger, votes = self._ledger, self._votes
        validators = votes.validators
        return Facts(
            now=self._clock.now(),
            me=self.me,
            started=self._started,
            height=ledger.height,
            block_time=ledger.tip.time,
            blocks_per_second=self.blocks_per_second,
            clock_ahead=self._clock_ahead(),
            peers=self._peers(),
            voters=tuple(
                Voter(
                    key=key,
                    weight=validators.weight((key,)),
                    voted_at=votes.voted_at(key),
                )
                for key in validators.keys
            ),
            quorum=validators.quorum,
            heartbeat=ledger.params.heartbeat_ms,
            may_sign=votes.may_sign,
            paused_for=votes.paused_for,
            is_banned=ledger.state.account(self.me).is_banned,
            disk_free=ByteCount(shutil.disk_usage(self.home).free),
            pending=len(ledger.mempool),
            pending_max=ledger.params.mempool_transactions_max,
        )

    @property
    def blocks_per_second(self) -> float:
        """How fast blocks became final here of late."""
        since = self._clock.now() - RATE_SPAN
        while self._arrivals and self._arrivals[0] < since:
            self._arrivals.popleft()
        return len(self._arrivals) * 1000 / RATE_SPAN

    def _clock_ahead(self) -> int | None:
        """Return the middle of what the validators' clocks say, so that one that is off misleads nobody."""
        fastest = [min(offsets) for offsets in self._offsets.values()]
        return median_low(fastest) if fastest else None

    def _note_offset(self, proposer: PublicKey, offset: int) -> None:
        offsets = self._offsets.pop(proposer, None) or deque(maxlen=OFFSETS_KEPT)
        offsets.append(offset)
        self._offsets[proposer] = offsets  # last in the order: heard of most recently
        if len(self._offsets) > VALIDATORS_MAX:
            del self._offsets[next(iter(self._offsets))]

    def _peers(self) -> tuple[PeerFacts, ...]:
        return tuple(
            PeerFacts(peer=one.peer, is_up=one.is_up, height=one.height, refusal=one.refusal)
            for one in self._network.peers()
        )

    def _on_finalized(self, finalized: Finalized) -> None:
        now, header = self._clock.now(), finalized.block.header
        self._arrivals.append(now)
        if header.proposer != self.me:
            self._note_offset(header.proposer, now - header.time)
        self.blocks += 1
        self.transactions += len(finalized.block.transactions)
        if header.epoch == self._last.epoch:
            self.skipped_views += max(0, header.view - self._last.view - 1)
        self._last = header
