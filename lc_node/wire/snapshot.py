"""What peers say about whole states, which a newcomer takes over instead of executing every block.

A certified header has a state root. The root is made of the hashes of 4,096 buckets, which come in one
piece, the manifest; each bucket is then checked by itself, whoever sends it. A bucket is asked for by its
hash, so that it may come out of any state in which it stands.
"""

from collections.abc import Sequence
from typing import Annotated, Final, TypeAlias

import msgspec

from lc_node.chain.blocks import Block, Header
from lc_node.chain.codec import Decoder, Record
from lc_node.chain.commitment import BUCKETS, Commitment
from lc_node.chain.types import BlockId, ByteCount, Digest
from lc_node.chain.votes import Certificate
from lc_node.merkle import HASH_BYTES, tree_root

OFFERS_MAX: Final = 4
"""States that one peer offers."""

WANTED_MAX: Final = 128
"""Buckets that one question asks for."""

ANSWER_BYTES: Final = ByteCount(512 * 1024)
"""Bytes of buckets in one answer; the last of them may be cut."""

BUCKET_BYTES_MAX: Final = ByteCount(16 * 1024 * 1024)
"""The largest bucket that is fetched: some hundred thousand accounts, or a thousand long jobs."""

_QUESTION_BYTES_MAX: Final = 8 * 1024
_ANSWER_BYTES_MAX: Final = 1024 * 1024 - 64  # what a frame of an answer holds

_Index = Annotated[int, msgspec.Meta(ge=0, lt=BUCKETS)]
_Leaves = Annotated[
    bytes, msgspec.Meta(min_length=BUCKETS * HASH_BYTES, max_length=BUCKETS * HASH_BYTES)
]


class GetOffers(Record, tag="get_offers"):
    """Ask which states may be fetched here."""


class GetManifest(Record, tag="get_manifest"):
    """Ask what the state after a block, which was offered, is made of."""

    block_id: BlockId


class Offer(Record):
    """A state that may be fetched: that after the block with this header."""

    header: Header
    certificate: Certificate
    """The block's finalisation."""


class Offers(Record):
    """The answer to GetOffers, the newest state last."""

    offers: Annotated[tuple[Offer, ...], msgspec.Meta(max_length=OFFERS_MAX)]


class Manifest(Record):
    """The answer to GetManifest: a whole block, and the hash of each bucket of the state after it."""

    block: Block
    leaves: _Leaves

    def leaf(self, index: int) -> Digest:
        """Return the hash of a bucket."""
        return Digest(self.leaves[index * HASH_BYTES : (index + 1) * HASH_BYTES])

    @property
    def root(self) -> Digest:
        """The state root that the buckets make up."""
        return Digest(tree_root([self.leaf(index) for index in range(BUCKETS)]))


class Wanted(Record):
    """A bucket: its place and its hash."""

    index: _Index
    leaf: Digest


class GetBuckets(Record):
    """Ask for buckets, as many as fit into an answer."""

    wanted: Annotated[tuple[Wanted, ...], msgspec.Meta(min_length=1, max_length=WANTED_MAX)]
    offset: ByteCount
    """Bytes of the first one that the asker has from this peer: a bucket may be larger than an answer."""


class Piece(Record):
    """A bucket's bytes, to its end or as far as they fit."""

    index: _Index
    data: bytes
    is_end: bool


class Buckets(Record):
    """The answer to GetBuckets: of what was asked for what is here, in that order."""

    pieces: Annotated[tuple[Piece, ...], msgspec.Meta(max_length=WANTED_MAX)]


def cut_buckets(question: GetBuckets, states: Sequence[Commitment]) -> Buckets:
    """Return what a holder of these states answers: what it has, as far as it fits."""
    pieces: list[Piece] = []
    offset, room = question.offset, ANSWER_BYTES
    for wanted in question.wanted:
        data = _find(wanted, states)
        if data is not None:
            part = data[offset : offset + room]
            pieces.append(Piece(index=wanted.index, data=part, is_end=len(data) <= offset + room))
            room = ByteCount(room - len(part))
        offset = ByteCount(0)
        if room == 0:
            break
    return Buckets(pieces=tuple(pieces))


def _find(wanted: Wanted, states: Sequence[Commitment]) -> bytes | None:
    """Return a bucket's bytes if one of the states has it with this hash."""
    for state in states:
        if state.node(BUCKETS + wanted.index) == wanted.leaf:
            return state.bucket(wanted.index).dump()
    return None


SnapshotQuestion: TypeAlias = GetOffers | GetManifest

SNAPSHOT_QUESTION_DECODER: Final[Decoder[SnapshotQuestion]] = Decoder(
    SnapshotQuestion, what="question for snapshots", bytes_max=_QUESTION_BYTES_MAX
)
"""A question of ``Topic.SNAPSHOTS``."""

OFFERS_DECODER: Final = Decoder(Offers, what="offers of snapshots", bytes_max=_ANSWER_BYTES_MAX)
"""The answer to GetOffers."""

MANIFEST_DECODER: Final = Decoder(
    Manifest, what="manifest of a snapshot", bytes_max=_ANSWER_BYTES_MAX
)
"""The answer to GetManifest."""

GET_BUCKETS_DECODER: Final = Decoder(
    GetBuckets, what="question for buckets", bytes_max=_QUESTION_BYTES_MAX
)
"""A question of ``Topic.BUCKETS``."""

BUCKETS_DECODER: Final = Decoder(Buckets, what="buckets", bytes_max=_ANSWER_BYTES_MAX)
"""Its answer."""
