"""What can go wrong in a simulated network besides liars, by name."""

from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """One kind of mistreatment; each seed draws how much of it there is, which may be none."""

    LATENCY = "latency"
    """Links as slow as those between continents, with a long tail."""
    LOSS = "loss"
    """Messages vanish."""
    DUPLICATION = "duplication"
    """Messages come twice."""
    REORDERING = "reordering"
    """Some messages take seconds longer than those sent after them."""
    PARTITIONS = "partitions"
    """Groups of nodes that do not hear each other, drawn anew every few seconds."""
    ONE_WAY = "one-way"
    """Links that carry nothing in one direction."""
    BLACK_HOLES = "black-holes"
    """Links that carry what is short, while proposals and blocks vanish."""
    CRASHES = "crashes"
    """Power failures of single nodes before any output, and before a write is durable; later they restart."""
    BLACKOUTS = "blackouts"
    """Power failures everywhere at once."""
    SKEW = "skew"
    """Clocks that are off."""
    DRIFT = "drift"
    """Clocks that run too fast or too slow."""
    WRONG_CLOCKS = "wrong-clocks"
    """A few clocks that are off by seconds, and are set right when the network heals."""
    SLOW_DISKS = "slow-disks"
    """Disks that take long to make a write durable, so that a crash finds it undone."""
    CHURN = "churn"
    """Followers that join late and leave for a while."""


ALL_FAULTS: Final = tuple(Fault)


def parse_faults(text: str) -> tuple[Fault, ...]:
    """Return the faults that a text names: ``all``, ``none``, or names with commas between.

    Raises:
        ValueError: a name is none; the text says which there are.
    """
    if text in {"all", "none"}:
        return ALL_FAULTS if text == "all" else ()
    names = [name.strip() for name in text.split(",")]
    unknown = [name for name in names if name not in set(Fault)]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no fault; take all, none or of {', '.join(Fault)}")
    return tuple(fault for fault in Fault if fault in names)
