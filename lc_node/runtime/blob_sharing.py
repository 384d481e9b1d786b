"""What a download hands on while it is under way: who wants to know, and when they are told."""

from typing import Final

from lc_node.chain.types import Digest, PublicKey
from lc_node.oci.chunks import chunk_root
from lc_node.runtime.blob_service import Peers
from lc_node.wire.blobs import Holding
from lc_node.wire.limits import PART_CHUNKS_MAX
from lc_node.wire.messages import Absence, Blob, NoBlob, Part

_CHUNKS_A_WORD: Final = 4
"""So many chunks come in before peers are told of them; a moment without news ends the wait."""


class Sharing:
    """Tells those who fetch the same blob what is here of it."""

    def __init__(self, digest: Digest, peers: Peers) -> None:
        """Share a blob; nobody is told before ``follow``."""
        self._digest = digest
        self._peers = peers
        self._hearers: set[PublicKey] = set()
        self._root = Digest(bytes(32))
        self._untold = 0

    def follow(self, description: Blob, holding: Holding) -> None:
        """Fetch by this description from now on."""
        self._root = Digest(chunk_root(description.chunk_digests))
        self._untold = 1
        self.tell_all(holding)

    def is_ours(self, part: Part) -> bool:
        """Return whether a part is one of the same chunks as ours."""
        return part.chunks_root == self._root

    def welcome(self, peer: PublicKey) -> None:
        """Tell a peer whenever there is news."""
        self._hearers.add(peer)

    def leave(self, peer: PublicKey) -> None:
        """Tell a peer no more."""
        self._hearers.discard(peer)

    def note(self, holding: Holding, chunks: int) -> None:
        """Count chunks that have come in; tell everyone if they make up a word."""
        self._untold += chunks
        if self._untold >= _CHUNKS_A_WORD:
            self.tell_all(holding)

    def tell_all(self, holding: Holding) -> None:
        """Tell everyone what they do not know yet."""
        if self._untold:
            self._untold = 0
            for peer in sorted(self._hearers):
                self.tell(peer, holding)

    def tell(self, peer: PublicKey, holding: Holding) -> None:
        """Tell a peer what is here."""
        others = tuple(sorted(holding.others)[:PART_CHUNKS_MAX])
        self._peers.tell(
            peer,
            Part(digest=self._digest, chunks_root=self._root, below=holding.below, others=others),
        )

    def give_up(self) -> None:
        """Tell everyone to expect nothing more."""
        for peer in sorted(self._hearers):
            self._peers.tell(peer, NoBlob(digest=self._digest, absence=Absence.NOT_HERE))


def holding_of(part: Part) -> Holding:
    """Return what a part says that its sender has."""
    return Holding(below=part.below, others=frozenset(part.others))
