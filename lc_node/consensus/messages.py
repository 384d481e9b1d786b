"""What validators and followers say to each other about agreement (docs/CONSENSUS.md, B)."""

from typing import Annotated, Final, TypeAlias

import msgspec

from lc_node.chain.blocks import Block, Header
from lc_node.chain.codec import Decoder, Record
from lc_node.chain.records import ValidatorSet
from lc_node.chain.types import BlockId, Epoch, Height, View
from lc_node.chain.votes import Certificate, Vote

JUSTIFICATION_MAX: Final = 16
"""Certificates that travel with a proposal; voters ask for the rest."""

CERTIFICATES_MAX: Final = 32
"""Certificates in one answer."""

BLOCKS_MAX: Final = 64
"""Blocks in one answer, if they are small."""

BLOCKS_BYTES_MAX: Final = 256 * 1024
"""Bytes of the blocks in one answer, unless it is a single one."""

SPAN_MAX: Final = 1024
"""Heights that one question may span."""

PROOFS_MAX: Final = 16
"""Epochs in one answer: of 100 members each takes some 12 kB."""

MESSAGE_BYTES_MAX: Final = 512 * 1024
"""A block of 256 KiB with 16 certificates of 100 signatures has 370 kB, an answer of 33 has 225 kB."""


class Propose(Record, tag="propose"):
    """A leader's block; the leader's NOTARIZE on it is the signature (D.2)."""

    vote: Vote
    block: Block
    justification: Annotated[tuple[Certificate, ...], msgspec.Meta(max_length=JUSTIFICATION_MAX)]
    """The parent's notarization and the nullifications of the views skipped since."""


class VoteMessage(Record, tag="vote"):
    """One vote."""

    vote: Vote


class CertificateMessage(Record, tag="certificate"):
    """One certificate: formed here and forwarded, or handed to who is behind."""

    certificate: Certificate


class GetBlock(Record, tag="get_block"):
    """Ask for an unfinalised block by its id; answered by Blocks."""

    block_id: BlockId


class GetBlocks(Record, tag="get_blocks"):
    """Ask for finalised blocks of heights from ``first`` up to, not including, ``below``."""

    first: Height
    below: Height


class Blocks(Record, tag="blocks"):
    """Blocks in height order, the last of them finalised by the certificate if there is one."""

    blocks: Annotated[tuple[Block, ...], msgspec.Meta(min_length=1, max_length=BLOCKS_MAX)]
    certificate: Annotated[tuple[Certificate, ...], msgspec.Meta(max_length=1)]


class GetCertificates(Record, tag="get_certificates"):
    """Ask for what is held of the views ``first`` to ``last``, and for a newer finalisation."""

    epoch: Epoch
    first: View
    last: View
    finalized: View
    """The last view of which the asker holds a finalisation."""


class Certificates(Record, tag="certificates"):
    """The answer to GetCertificates."""

    certificates: Annotated[
        tuple[Certificate, ...], msgspec.Meta(min_length=1, max_length=CERTIFICATES_MAX + 1)
    ]


class EpochProof(Record):
    """What leads from one epoch's validators to the next one's (F.6)."""

    header: Header
    """Of the epoch's last block."""
    certificate: Certificate
    """Its finalisation."""
    next_set: ValidatorSet
    """Who votes in the next epoch; the header names its hash."""


class GetEpochs(Record, tag="get_epochs"):
    """Ask for the proofs of the epochs from ``first`` on."""

    first: Epoch


class EpochProofs(Record, tag="epoch_proofs"):
    """The answer to GetEpochs: epochs that follow each other."""

    proofs: Annotated[tuple[EpochProof, ...], msgspec.Meta(min_length=1, max_length=PROOFS_MAX)]


Message: TypeAlias = (
    Propose
    | VoteMessage
    | CertificateMessage
    | GetBlock
    | GetBlocks
    | Blocks
    | GetCertificates
    | Certificates
    | GetEpochs
    | EpochProofs
)

MESSAGE_DECODER: Final[Decoder[Message]] = Decoder(
    Message, what="consensus message", bytes_max=MESSAGE_BYTES_MAX
)
"""Bytes on the consensus channel to a message."""

VOTE_DECODER: Final = Decoder(Vote, what="vote", bytes_max=1024)
"""A stored vote."""

CERTIFICATE_DECODER: Final = Decoder(Certificate, what="certificate", bytes_max=16 * 1024)
"""A stored certificate."""
