"""The constants of agreement, taken from the chain's own parameters; all times in milliseconds."""

from typing import Final, Self

from lc_node.chain.codec import Record
from lc_node.chain.params import ProtocolParams
from lc_node.chain.types import ByteCount, MillisSpan, View

VALIDATORS_MAX: Final = 100
"""Members of a set; bounds the size of a certificate."""

GROWTH_STEPS_MAX: Final = 10
"""After this many unfinalised views patience grows no further."""

GRACE_VIEWS: Final = 3
"""Unfinalised views that are nothing unusual: patience grows only beyond them."""


class ConsensusParams(Record):
    """What the rules of docs/CONSENSUS.md leave open."""

    interval: MillisSpan = MillisSpan(100)
    """With work at hand a leader waits this long after the parent's time."""
    heartbeat: MillisSpan = MillisSpan(10_000)
    """Without work a leader waits this long after entering the view."""
    delta: MillisSpan = MillisSpan(300)
    """The delay between two nodes that timeouts reckon with."""
    drift: MillisSpan = MillisSpan(500)
    """How far two honest clocks may be apart."""
    retry: MillisSpan = MillisSpan(1_000)
    """What was not answered is asked, or sent, again after this long."""
    views_ahead: int = 64
    """Votes of views further ahead than this are not counted."""
    proposals_ahead: int = 8
    """Proposals, which are large, are kept for this many views ahead."""
    block_bytes_max: ByteCount = ByteCount(256 * 1024)

    @classmethod
    def of(cls, protocol: ProtocolParams) -> Self:
        """Return what a chain's parameters say about agreement."""
        return cls(
            interval=protocol.block_pause_ms,
            heartbeat=protocol.heartbeat_ms,
            delta=protocol.network_delay_ms,
            drift=protocol.clock_drift_ms,
            block_bytes_max=protocol.block_bytes_max,
        )

    @property
    def forward_lag(self) -> MillisSpan:
        """How long a certificate waits before it is forwarded to who has not shown to hold it (D.8)."""
        return MillisSpan(self.delta // 2)

    def patience(self, view: View, finalized: View) -> MillisSpan:
        """Return how long after a proposal is due a voter still waits: 6 delta, growing by half a view.

        It grows with the unfinalised views, so that it outgrows any real delay (D.1).
        """
        steps = min(GROWTH_STEPS_MAX, max(0, view - finalized - GRACE_VIEWS))
        permille = 1000 * 3**steps // 2**steps
        return MillisSpan(6 * self.delta * permille // 1000)
