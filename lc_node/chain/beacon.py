"""Shared randomness: every block reveals the next link of its proposer's hash chain.

A proposer commits to its whole chain beforehand, so that it can choose only to reveal or to be silent.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Self

from lc_node.chain.crypto import digest, sha256
from lc_node.chain.types import Beacon, Digest, Link

CHAIN_LINKS: Final = 1 << 20
_STRIDE: Final = 1 << 10
_LINK_TAG: Final = b"lc/link/1"
_LINK_BYTES: Final = 32
_CHECK_BYTES: Final = 32


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

    def __init__(
        self, seed: Digest, links: int = CHAIN_LINKS, kept: Sequence[Link] | None = None
    ) -> None:
        """Compute a chain of ``links`` links above the seed (2^20 take about a second).

        ``kept`` are the kept links of that very chain, if they are known: then it takes a millisecond.
        """
        self._seed = seed
        self._kept = list(_grow(seed, links) if kept is None else kept)
        assert len(self._kept) == -(-links // _STRIDE), "one kept link a stride"
        link = self._kept[-1]
        for _ in range(links - _STRIDE * (len(self._kept) - 1)):
            link = link_above(link)
        self._number_of_kept = {kept: i * _STRIDE for i, kept in enumerate(self._kept)}
        self._number_of_kept[link] = links
        self.commitment: Final = link
        """What an account states before it proposes: the link above all others."""

    @classmethod
    def load(cls, seed: Digest, data: bytes, links: int = CHAIN_LINKS) -> Self | None:
        """Return the chain that ``dump`` wrote; None if the bytes are not whole, or of another seed."""
        check, rest = data[:_CHECK_BYTES], data[_CHECK_BYTES:]
        if len(rest) != -(-links // _STRIDE) * _LINK_BYTES or check != _check(seed, rest):
            return None
        kept = [
            Link(Digest(rest[start : start + _LINK_BYTES]))
            for start in range(0, len(rest), _LINK_BYTES)
        ]
        return cls(seed, links, kept)

    def dump(self) -> bytes:
        """Return the kept links, to be loaded again; as secret as the seed."""
        rest = b"".join(self._kept)
        return _check(self._seed, rest) + rest

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


def _grow(seed: Digest, links: int) -> Iterator[Link]:
    """Yield every kept link of a chain."""
    link = Link(seed)
    for number in range(links):
        if number % _STRIDE == 0:
            yield link
        link = link_above(link)


def _check(seed: Digest, kept: bytes) -> bytes:
    """Return what shows that kept links are unharmed, and grew from a seed."""
    return digest("lc/links/1", seed, kept)
