"""From one epoch's validators to the next ones', by what they have signed (docs/CONSENSUS.md, F.6, H)."""

from dataclasses import replace

from lc_node.chain.blocks import block_id
from lc_node.chain.types import Epoch
from lc_node.chain.validators import set_hash
from lc_node.chain.votes import Vote, VoteKind
from lc_node.consensus.certificates import is_valid
from lc_node.consensus.messages import EpochProof
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet


def is_proof(proof: EpochProof, setting: Setting) -> bool:
    """Return whether an epoch's validators finalised its last block, which names the next ones."""
    header, certificate = proof.header, proof.certificate
    return (
        header.chain_id == setting.chain_id
        and header.epoch == setting.epoch
        and header.height == setting.last_height
        and certificate.kind is VoteKind.FINALIZE
        and certificate.subject.block_id == block_id(header)
        and header.next_set_hash == (set_hash(proof.next_set),)
        and is_valid(certificate, setting, _is_never_known)
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
