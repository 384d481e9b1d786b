"""Shared randomness: every block reveals the next link of its proposer's hash chain.

A proposer commits to its whole chain beforehand, so that it can choose only to reveal or to be silent.
"""

from typing import Final

from lc_node.chain.crypto import digest, sha256
from lc_node.chain.types import Beacon, Digest, Link

CHAIN_LINKS: Final = 1 << 20
_STRIDE: Final = 1 << 10
_LINK_TAG: Final = b"lc/link/1"


def next_beacon(beacon: Beacon, reveal: Link) -> Beacon:
    """Return the beacon after a block that reveals a link."""
    return Beacon(digest("lc/beacon/1", beacon, reveal))


def link_above(reveal: Link) -> Link:
    """Return the link that a reveal opens: the one shown before it."""
    return Link(sha256(_LINK_TAG + reveal))


class LinkChain:
    """All links that grow from one secret seed, the last one of which is the commitment.

    Links are numbered by their distance from the seed; every 1,024th is kept, so that a chain of
    2^20 links takes about 200 kB, and a step down at most 2,048 hashes (about a millisecond).
    """

    def __init__(self, seed: Digest, links: int = CHAIN_LINKS) -> None:
        """Compute a chain of ``links`` links above the seed (2^20 take about a second)."""
        self._kept: list[Link] = []
        link = Link(seed)
        for number in range(links):
            if number % _STRIDE == 0:
                self._kept.append(link)
            link = link_above(link)
        self._number_of_kept = {kept: i * _STRIDE for i, kept in enumerate(self._kept)}
        self._number_of_kept[link] = links
        self.commitment: Final = link
        """What an account states before it proposes: the link above all others."""

    def below(self, shown: Link) -> Link | None:
        """Return the link to reveal after ``shown``; None if it is the seed, or not of this chain."""
        number = self._number(shown)
        if number is None or number == 0:
            return None
        start = (number - 1) // _STRIDE
        link = self._kept[start]
        for _ in range(number - 1 - start * _STRIDE):
            link = link_above(link)
        return link

    def _number(self, link: Link) -> int | None:
        """Return a link's number: the next kept one above it is at most a stride away."""
        for steps in range(_STRIDE + 1):
            number = self._number_of_kept.get(link)
            if number is not None:
                return number - steps
            link = link_above(link)
        return None
