"""What this node sees of the machine that it is a guest on."""

from typing import Protocol

from lc_node.worker.policy import Circumstances


class Surroundings(Protocol):
    """The machine, as far as its owner's policy depends on it."""

    def look(self) -> Circumstances:
        """Return how it fares now; cheap enough to be asked twice a second."""
        ...
