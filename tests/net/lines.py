"""What the wire from one node to another does to a frame: it loses, delays and reorders, or is cut."""

import random
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One direction between two nodes."""

    loss: float = 0.0
    """The share of frames that do not arrive."""
    delay_seconds: float = 0.0
    jitter_seconds: float = 0.0
    """Up to so much is added to the delay of each frame, so that frames overtake each other."""


PERFECT: Final = Line()


def transit_seconds(line: Line, chance: random.Random) -> float | None:
    """Return how long a frame is on its way; None if it is lost."""
    if line.loss and chance.random() < line.loss:
        return None
    return line.delay_seconds + line.jitter_seconds * chance.random()
