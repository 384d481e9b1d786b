"""What a simulated node finds again after a crash."""

from lc_node.chain.blocks import Block, block_id
from lc_node.chain.codec import encode
from lc_node.chain.errors import LearningChainError
from lc_node.chain.types import BlockId, Height, View
from lc_node.chain.votes import Certificate, Vote, VoteKind


class BrokenInvariant(LearningChainError):
    """Something happened that must never happen; the seed reproduces it."""


class Disk:
    """Vote store and chain store of one node, each write of which is durable at once."""

    def __init__(self) -> None:
        """Start empty."""
        self.may_sign = True
        """False once the record of our votes is known to be incomplete (docs/CONSENSUS.md, E)."""
        self.finalizations: dict[Height, Certificate] = {}
        self._chain: list[tuple[BlockId, Block]] = []
        self._votes: dict[tuple[View, VoteKind], tuple[bytes, bytes]] = {}
        self._certificates: dict[tuple[View, VoteKind], bytes] = {}
        self._blocks: dict[tuple[View, BlockId], bytes] = {}

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
        if self._votes.setdefault((vote.view, vote.kind), row)[0] != row[0]:
            raise BrokenInvariant(f"two votes {vote.kind.name} signed in view {vote.view}")

    def put_certificate(self, certificate: Certificate) -> None:
        """Record a certificate."""
        self._certificates[certificate.view, certificate.kind] = encode(certificate)

    def put_block(self, block: Block, identity: BlockId) -> None:
        """Record a body."""
        self._blocks[block.header.view, identity] = encode(block)

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
        below = certificate.view
        self._certificates = {k: c for k, c in self._certificates.items() if k[0] >= below}
        self._blocks = {k: b for k, b in self._blocks.items() if k[0] >= below}

    def rows(self) -> tuple[list[tuple[bytes, bytes]], list[bytes], list[bytes]]:
        """Return votes in the order signed, certificates and bodies by view."""
        return (
            list(self._votes.values()),
            [self._certificates[key] for key in sorted(self._certificates)],
            [self._blocks[key] for key in sorted(self._blocks)],
        )

    def lose_votes(self) -> None:
        """Lose the whole vote store, as a disk that died or a restored backup would."""
        self._votes, self._certificates, self._blocks = {}, {}, {}
        self.may_sign = False

    def lose_blocks(self) -> None:
        """Lose the bodies of unfinalised blocks."""
        self._blocks = {}
