"""What the market refuses, one class a cause; each message names the fix."""

from collections.abc import Callable
from typing import Final

from lc_node.chain.addresses import encode_address
from lc_node.chain.errors import InvalidTransaction, in_bytes, in_credits, in_time
from lc_node.chain.types import PublicKey

_UNITS: Final[dict[str, Callable[[int], str]]] = {
    "_seconds": in_time,
    "_bytes": in_bytes,
    ".relative": lambda ppm: f"{ppm}ppm",
}
"""How a number of a job's spec is said, by what its name has in it."""


class UnknownJob(InvalidTransaction):
    """There is no such job, or it was over long ago and is forgotten."""

    def __init__(self, job: bytes) -> None:
        """Name the job."""
        super().__init__(f"job {job.hex()} is not on the chain: check the id")
        self.job = job


class WrongPhase(InvalidTransaction):
    """The job is not in the phase in which this may be sent."""

    def __init__(self, expected: str, found: str) -> None:
        """Name both phases."""
        super().__init__(
            f"the job is {found.lower()}: this can be done only while it is {expected.lower()}"
        )
        self.expected = expected
        self.found = found


class NotSubmitter(InvalidTransaction):
    """Only the job's submitter may change it."""

    def __init__(self, submitter: PublicKey) -> None:
        """Name the submitter."""
        owner = encode_address(submitter)
        super().__init__(f"the job is of {owner}: only who has posted a job can change it")
        self.submitter = submitter


class HasBids(InvalidTransaction):
    """Somebody relies on the job as it stands."""

    def __init__(self, bids: int) -> None:
        """Name how many bids there are."""
        bid = "a bid" if bids == 1 else f"{bids} bids"
        super().__init__(f"the job has {bid}: wait until it expires")
        self.bids = bids


class OptionUnsupported(InvalidTransaction):
    """The job asks for something that this version of the protocol has no rules for yet."""

    def __init__(self, option: str) -> None:
        """Name the option."""
        super().__init__(f"{option} is not supported by this version: post the job without it")
        self.option = option


class BountyTooSmall(InvalidTransaction):
    """Below the least bounty nobody is asked to work."""

    def __init__(self, minimum: int, found: int) -> None:
        """Both in micro-credits."""
        super().__init__(
            f"a bounty of {in_credits(found)} credits is too small: offer {in_credits(minimum)} or more"
        )
        self.minimum = minimum
        self.found = found


class ExpiryOutOfRange(InvalidTransaction):
    """The expiry is too near or too far."""

    def __init__(self, earliest: int, latest: int, found: int) -> None:
        """All in milliseconds since the Unix epoch."""
        off_by_seconds = -(-max(earliest - found, found - latest) // 1000)
        remedy = "near: choose a later one" if found < earliest else "far: choose an earlier one"
        super().__init__(f"the expiry is {in_time(off_by_seconds)} too {remedy}")
        self.earliest = earliest
        self.latest = latest
        self.found = found


class LimitOutOfRange(InvalidTransaction):
    """A number of the job's spec is too small or too large."""

    def __init__(self, field: str, minimum: int, maximum: int, found: int) -> None:
        """Name the field and its range."""
        show = next((show for unit, show in _UNITS.items() if unit in field), str)
        super().__init__(
            f"{field} is {show(found)}: choose from {show(minimum)} to {show(maximum)}"
        )
        self.field = field
        self.minimum = minimum
        self.maximum = maximum
        self.found = found


class ImageNowhere(InvalidTransaction):
    """Nobody could fetch the job's image."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the image is nowhere: name a registry reference or put it on the graph")


class ContractUnknown(InvalidTransaction):
    """The image is run under a contract that nodes do not know."""

    def __init__(self, expected: tuple[str, ...], found: str) -> None:
        """Name the contracts that there are, and the one asked for."""
        super().__init__(
            f"contract {found!r} is unknown: build the image for one of {', '.join(expected)}"
        )
        self.expected = expected
        self.found = found


class NothingAdded(InvalidTransaction):
    """A top-up of nothing."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the amount is zero: give an amount to add to the bounty")


class BidOnOwnJob(InvalidTransaction):
    """A submitter must not win its own bounty."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("the submitter may not bid on its own job: leave it to others")


class NotAnImprovement(InvalidTransaction):
    """A bid replaces the sender's earlier one only with a strictly lower loss."""

    def __init__(self, earlier: int, found: int) -> None:
        """Both in nano."""
        super().__init__(f"loss {found} is not below your earlier bid of {earlier}: train on")
        self.earlier = earlier
        self.found = found


class RankingFull(InvalidTransaction):
    """All places are held by lower losses."""

    def __init__(self, places: int, last: int) -> None:
        """Name the number of places and the loss that holds the last."""
        super().__init__(f"all {places} places are taken: announce a loss below {last}")
        self.places = places
        self.last = last


class BondNotCovered(InvalidTransaction):
    """A finalist's bond is locked from its balance."""

    def __init__(self, balance: int, bond: int) -> None:
        """Both in micro-credits."""
        super().__init__(
            f"a finalist's bond is {in_credits(bond)} credits, you have {in_credits(balance)}: earn more"
        )
        self.balance = balance
        self.bond = bond


class NotExpectedToOpen(InvalidTransaction):
    """The sender has no bid that is to be opened now."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("no bid of yours is to be opened now: only finalists open, once")


class OpeningMismatch(InvalidTransaction):
    """What is opened is not what the bid committed to."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("this is not what the bid committed to: send its model, size and salt")


class ModelTooLarge(InvalidTransaction):
    """The model exceeds what the job allows."""

    def __init__(self, limit: int, found: int) -> None:
        """Both in bytes."""
        super().__init__(f"the model has {found} bytes, the job allows {limit}: shrink it")
        self.limit = limit
        self.found = found


class NotTheCandidate(InvalidTransaction):
    """The verdict speaks of another bid than the one under examination."""

    def __init__(self, expected: bytes, found: bytes) -> None:
        """Name both bidders."""
        super().__init__(
            f"the candidate is {expected.hex()}, not {found.hex()}: evaluate that one"
        )
        self.expected = expected
        self.found = found


class NotExpectedToJudge(InvalidTransaction):
    """The sender has no seat, or has done its part already."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("no verdict is expected of you now: only drawn members send one, once")


class VerdictMismatch(InvalidTransaction):
    """What is revealed is not what the member committed to."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("this is not what you committed to: send the same verdict and salt")


class VerdictMeaningless(InvalidTransaction):
    """A verdict has either losses or a fault."""

    def __init__(self) -> None:
        """Name the fix."""
        super().__init__("a verdict has losses or a fault, not both and not neither: send one")


class TooManyDeclines(InvalidTransaction):
    """A verifier may decline some of its draws only."""

    def __init__(self, draws: int, declines: int) -> None:
        """Name how often it was drawn and declined in this epoch."""
        super().__init__(
            f"declined {declines} of {draws} draws of this epoch already: evaluate, or unbond"
        )
        self.draws = draws
        self.declines = declines
