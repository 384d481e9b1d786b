"""From one epoch's validators to the next ones', by what they have signed (docs/CONSENSUS.md, F.6, H)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from lc_node.chain.blocks import Header, block_id
from lc_node.chain.types import Epoch
from lc_node.chain.validators import set_hash
from lc_node.chain.votes import Certificate, Vote, VoteKind
from lc_node.consensus.certificates import is_valid
from lc_node.consensus.messages import EpochProof
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet


def is_proof(proof: EpochProof, setting: Setting) -> bool:
    """Return whether an epoch's validators finalised its last block, which names the next ones."""
    header = proof.header
    return (
        header.height == setting.last_height
        and header.next_set_hash == (set_hash(proof.next_set),)
        and is_final(header, proof.certificate, setting)
    )


def is_final(header: Header, certificate: Certificate, setting: Setting) -> bool:
    """Return whether an epoch's validators have finalised the block with this header."""
    return (
        header.chain_id == setting.chain_id
        and header.epoch == setting.epoch
        and certificate.kind is VoteKind.FINALIZE
        and certificate.subject.block_id == block_id(header)
        and is_valid(certificate, setting, _is_never_known)
    )


def are_linked(headers: Sequence[Header]) -> bool:
    """Return whether each header is the parent of the one after it: the last one names them all."""
    return all(
        after.parent_id == block_id(before) and after.height == before.height + 1
        for before, after in pairwise(headers)
    )


def next_setting(proof: EpochProof, setting: Setting) -> Setting:
    """Return the epoch to which a valid proof leads."""
    members = {member.key: member.weight for member in proof.next_set.members}
    return replace(
        setting,
        epoch=Epoch(setting.epoch + 1),
        validators=ValidatorSet(members),
        root=proof.header,
    )


def _is_never_known(vote: Vote) -> bool:
    del vote
    return False
