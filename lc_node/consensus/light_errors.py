"""Why a light client does not believe what it is told, one class a cause."""

from typing import Annotated

import msgspec

from lc_node.chain.blocks import Header
from lc_node.chain.codec import Record
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import Epoch, Height, Millis, MillisSpan
from lc_node.chain.votes import Certificate


class Certified(Record):
    """A header and what makes it final."""

    header: Header
    certificate: Annotated[tuple[Certificate, ...], msgspec.Meta(max_length=1)]
    """Empty: it was trusted from the beginning."""


class WrongCheckpoint(LearningChainError):
    """A checkpoint contradicts itself: nothing can be proved from it."""

    def __init__(self, why: str) -> None:
        """Say what does not fit."""
        super().__init__(
            f"the checkpoint cannot be used: {why}; take one from somebody whom you trust, "
            "or begin with the genesis document"
        )
        self.why = why


class TrustExpired(LearningChainError):
    """Who voted when the checkpoint was made may have withdrawn its bond: nobody answers for it now."""

    def __init__(self, seen: Millis, now: Millis, unbonding: MillisSpan) -> None:
        """Say how old the checkpoint is, and how old it may be."""
        super().__init__(
            f"what is trusted is {_span(now - seen)} old, and bonds can be withdrawn after "
            f"{_span(unbonding)}: those who voted then could forge another chain and lose nothing. "
            "Take a newer checkpoint from somebody whom you trust, or say that you trust the old one "
            "(--trust-old)"
        )
        self.seen = seen
        self.now = now
        self.unbonding = unbonding


class EpochAhead(LearningChainError):
    """A header is of a later epoch than is trusted: the ends of those between are needed first."""

    def __init__(self, trusted: Epoch, found: Epoch) -> None:
        """Name both epochs."""
        super().__init__(
            f"the header is of epoch {found}, and epoch {trusted} is the last whose validators are "
            "known; ask how the epochs between ended"
        )
        self.trusted = trusted
        self.found = found


class BadTestimony(LearningChainError):
    """What a server said is not proved; ask another one."""


class BadEpochProof(BadTestimony):
    """What is said of an epoch's end was not finalised by its validators."""

    def __init__(self, epoch: Epoch) -> None:
        """Name the epoch whose end was asked for."""
        super().__init__(
            f"the server's proof of how epoch {epoch} ended does not hold; ask another server"
        )
        self.epoch = epoch


class NotFinal(BadTestimony):
    """A header was not finalised by the validators that it needs."""

    def __init__(self, epoch: Epoch, height: Height) -> None:
        """Name the header."""
        super().__init__(
            f"the header of height {height} was not finalised by the validators of epoch {epoch}; "
            "ask another server"
        )
        self.epoch = epoch
        self.height = height


class PastEpoch(BadTestimony):
    """A header is of an epoch that has ended: the server is behind what is known already."""

    def __init__(self, trusted: Epoch, found: Epoch) -> None:
        """Name both epochs."""
        super().__init__(
            f"the server is still in epoch {found}, and epoch {trusted} has begun; ask another server"
        )
        self.trusted = trusted
        self.found = found


class OlderThanKnown(BadTestimony):
    """A server's newest header is below one that was proved before: it is behind, or hides what is new."""

    def __init__(self, known: Height, found: Height) -> None:
        """Name both heights."""
        super().__init__(
            f"the server's newest block is {found}, and {known} was proved before; ask another server"
        )
        self.known = known
        self.found = found


class NotLinked(BadTestimony):
    """Headers do not follow each other, or do not begin where they were asked for."""

    def __init__(self, height: Height) -> None:
        """Name the height that was asked for."""
        super().__init__(
            f"the server's headers do not lead from a final one down to height {height}; "
            "ask another server"
        )
        self.height = height


class Contradiction(LearningChainError):
    """Two different blocks are final at one height: more than a third of the bonded weight lied."""

    def __init__(self, height: Height, first: Certified, second: Certified) -> None:
        """Keep both proofs: who signed both is guilty."""
        super().__init__(
            f"TWO DIFFERENT BLOCKS ARE FINAL AT HEIGHT {height}. More than a third of the bonded weight "
            "has lied: believe neither server, stop trading on this chain, and show others both "
            "certificates"
        )
        self.height = height
        self.first = first
        self.second = second


def _span(millis: int) -> str:
    """Return a span as people say it, rounded down."""
    seconds = max(0, millis) // 1_000
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
