"""What anyone may ask of a node about the final chain, and answers that carry their own proof.

The epochs' ends lead from validators that are trusted to those of now (docs/CONSENSUS.md, F.6, H); their
certificate stands for a header, and the header's roots for everything else.
"""

from typing import Annotated, Final

import msgspec

from lc_node.chain.blocks import Header
from lc_node.chain.bucket import KEY_BYTES
from lc_node.chain.codec import Decoder, Record
from lc_node.chain.proofs import BucketProof
from lc_node.chain.types import Height
from lc_node.chain.votes import Certificate
from lc_node.consensus.messages import EpochProofs, GetEpochs

INQUIRY_BYTES_MAX: Final = 128
"""No question is longer."""

TESTIMONY_BYTES_MAX: Final = 1024 * 1024 - 64
"""What a frame of an answer holds; a node that would have to say more says nothing."""

HEADERS_MAX: Final = 1_024
"""Headers in one answer: of 400 bytes each they take 400 kB."""

StateKey = Annotated[bytes, msgspec.Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]
"""A letter for the kind of record, and what names one: ``chain.state``."""


class GetFinalized(Record):
    """Ask for a final header: the newest, or the one at a height."""

    height: Annotated[tuple[Height, ...], msgspec.Meta(max_length=1)]
    """Empty: the newest."""


class Finalized(Record):
    """The answer: headers that follow each other, the last of them finalised by the certificate."""

    headers: Annotated[tuple[Header, ...], msgspec.Meta(min_length=1, max_length=HEADERS_MAX)]
    """The first is the one that was asked for."""
    certificate: Certificate


class GetEntry(Record):
    """Ask what stands under a key in the state after the newest block."""

    key: StateKey


class ProvenEntry(Record):
    """The answer, also that nothing stands there: by the bucket, under the root of a certified header."""

    header: Header
    certificate: Certificate
    proof: BucketProof


GET_EPOCHS_DECODER: Final = Decoder(
    GetEpochs, what="question for epochs", bytes_max=INQUIRY_BYTES_MAX
)
"""A question of ``Topic.EPOCHS``."""

EPOCH_PROOFS_DECODER: Final = Decoder(
    EpochProofs, what="proofs of epochs", bytes_max=TESTIMONY_BYTES_MAX
)
"""Its answer."""

GET_FINALIZED_DECODER: Final = Decoder(
    GetFinalized, what="question for a final header", bytes_max=INQUIRY_BYTES_MAX
)
"""A question of ``Topic.FINALIZED``."""

FINALIZED_DECODER: Final = Decoder(Finalized, what="final headers", bytes_max=TESTIMONY_BYTES_MAX)
"""Its answer."""

GET_ENTRY_DECODER: Final = Decoder(
    GetEntry, what="question for a state entry", bytes_max=INQUIRY_BYTES_MAX
)
"""A question of ``Topic.STATE``."""

PROVEN_ENTRY_DECODER: Final = Decoder(
    ProvenEntry, what="proof of a state entry", bytes_max=TESTIMONY_BYTES_MAX
)
"""Its answer."""
