"""What a simulated node finds again after a crash."""

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.codec import encode
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import BlockId, Epoch, Height, View
from lc_node.chain.votes import Certificate, Vote, VoteKind


class BrokenInvariant(LearningChainError):
    """Something happened that must never happen; the seed reproduces it."""


class Disk:
    """Vote store and chain store of one node, each write of which is durable at once."""

    def __init__(self) -> None:
        """Start empty."""
        self.silent_in: set[Epoch] = set()
        """Epochs of which the record of our votes is incomplete (docs/CONSENSUS.md, E)."""
        self.finalizations: dict[Height, Certificate] = {}
        self._chain: list[tuple[BlockId, Block]] = []
        self._votes: dict[tuple[Epoch, View, VoteKind], tuple[bytes, bytes]] = {}
        self._certificates: dict[tuple[Epoch, View, VoteKind], bytes] = {}
        self._blocks: dict[tuple[Epoch, View, BlockId], bytes] = {}

    @property
    def height(self) -> Height:
        """Height of the last delivered block, 0 before the first."""
        return Height(len(self._chain))

    def block(self, height: Height) -> Block:
        """Return the delivered block at a height from 1."""
        return self._chain[height - 1][1]

    def put_vote(self, vote: Vote, certificate: Certificate | None) -> None:
        """Record a vote; a second, different one of its kind and view breaks an invariant."""
        row = (encode(vote), b"" if certificate is None else encode(certificate))
        if self._votes.setdefault((vote.epoch, vote.view, vote.kind), row)[0] != row[0]:
            raise BrokenInvariant(f"two votes {vote.kind.name} signed in view {vote.view}")

    def put_certificate(self, certificate: Certificate) -> None:
        """Record a certificate."""
        key = (certificate.epoch, certificate.view, certificate.kind)
        self._certificates[key] = encode(certificate)

    def put_block(self, block: Block, identity: BlockId) -> None:
        """Record a body."""
        self._blocks[block.header.epoch, block.header.view, identity] = encode(block)

    def append(self, blocks: tuple[Block, ...], certificate: Certificate) -> None:
        """Append finalised blocks, which must fit on what is here, and forget what they settle."""
        for block in blocks:
            if block.header.height != self.height + 1:
                raise BrokenInvariant(f"height {block.header.height} after {self.height}")
            identity = block_id(block.header)
            if self._chain and self._chain[-1][0] != block.header.parent_id:
                raise BrokenInvariant(f"height {block.header.height} is on another parent")
            self._chain.append((identity, block))
        if self._chain[-1][0] != certificate.subject.block_id:
            raise BrokenInvariant(f"height {self.height} came with another block's certificate")
        self.finalizations[self.height] = certificate
        below = (certificate.epoch, certificate.view)
        self._certificates = {k: c for k, c in self._certificates.items() if k[:2] >= below}
        self._blocks = {k: b for k, b in self._blocks.items() if k[:2] >= below}

    def votes(self, epoch: Epoch) -> list[tuple[bytes, bytes]]:
        """Return our votes of an epoch with their certificates, in the order signed."""
        return [row for key, row in self._votes.items() if key[0] == epoch]

    def certificates(self, epoch: Epoch) -> list[bytes]:
        """Return an epoch's certificates by view."""
        return [self._certificates[key] for key in sorted(self._certificates) if key[0] == epoch]

    def blocks(self, epoch: Epoch) -> list[bytes]:
        """Return an epoch's bodies by view."""
        return [self._blocks[key] for key in sorted(self._blocks) if key[0] == epoch]

    def rows(self) -> tuple[list[tuple[bytes, bytes]], list[bytes], list[bytes]]:
        """Return votes, certificates and bodies of epoch 0."""
        return self.votes(Epoch(0)), self.certificates(Epoch(0)), self.blocks(Epoch(0))

    def lose_votes(self) -> None:
        """Lose the whole vote store, as a disk that died or a restored backup would."""
        self.silent_in.update(key[0] for key in self._votes)
        self._votes, self._certificates, self._blocks = {}, {}, {}

    def lose_blocks(self) -> None:
        """Lose the bodies of unfinalised blocks."""
        self._blocks = {}
