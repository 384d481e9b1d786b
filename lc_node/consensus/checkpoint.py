"""Where a light client begins: genesis, or what it or somebody whom it trusts has proved before."""

from typing import Final

from lc_node.chain.blocks import Header
from lc_node.chain.codec import Decoder, Record
from lc_node.chain.genesis import Genesis, genesis_header
from lc_node.chain.genesis import chain_id as chain_id_of
from lc_node.chain.records import Member, ValidatorSet
from lc_node.chain.types import ChainId, Epoch, Height, MillisSpan, Weight
from lc_node.chain.validators import set_hash
from lc_node.consensus.light import Spans, Trusted
from lc_node.consensus.light_errors import Certified, WrongCheckpoint
from lc_node.consensus.proofs import is_final
from lc_node.consensus.setting import Setting, Verifier
from lc_node.consensus.validator_set import ValidatorSet as Voters

CHECKPOINT_BYTES_MAX: Final = 64 * 1024


class Checkpoint(Record):
    """An epoch's validators, the newest final header, and what of the parameters is needed."""

    chain_id: ChainId
    epoch_heights: int
    unbonding: MillisSpan
    heartbeat: MillisSpan
    root: Header
    """The block before the epoch: genesis, or the last one of the epoch before."""
    validators: ValidatorSet
    """Whose hash the root names."""
    newest: Certified


CHECKPOINT_DECODER: Final = Decoder(Checkpoint, what="checkpoint", bytes_max=CHECKPOINT_BYTES_MAX)
"""Of a file."""


def genesis_checkpoint(genesis: Genesis) -> Checkpoint:
    """Return the beginning of a chain as a checkpoint."""
    params, root = genesis.params, genesis_header(genesis)
    bonds = {entry.key: entry.bonded for entry in genesis.accounts}
    members = tuple(Member(key=key, weight=Weight(bonds[key])) for key in genesis.members)
    return Checkpoint(
        chain_id=chain_id_of(genesis),
        epoch_heights=params.epoch_heights,
        unbonding=params.unbonding_ms,
        heartbeat=params.heartbeat_ms,
        root=root,
        validators=ValidatorSet(epoch=Epoch(0), members=members),
        newest=Certified(header=root, certificate=()),
    )


def checkpoint_of(trusted: Trusted) -> Checkpoint:
    """Return what can be begun with another time."""
    setting = trusted.setting
    members = tuple(
        Member(key=key, weight=setting.validators.weight((key,)))
        for key in setting.validators.keys
    )
    return Checkpoint(
        chain_id=setting.chain_id,
        epoch_heights=setting.epoch_heights,
        unbonding=trusted.spans.unbonding,
        heartbeat=trusted.spans.heartbeat,
        root=setting.root,
        validators=ValidatorSet(epoch=setting.epoch, members=members),
        newest=trusted.newest,
    )


def trusted_from(checkpoint: Checkpoint, verifier: Verifier) -> Trusted:
    """Return what is trusted at a checkpoint.

    Raises:
        WrongCheckpoint: it contradicts itself.
    """
    _validate_root(checkpoint)
    members = {member.key: member.weight for member in checkpoint.validators.members}
    if not members or min(members.values()) < 1:
        raise WrongCheckpoint("it names no validators, or one without weight")
    setting = Setting(
        chain_id=checkpoint.chain_id,
        epoch=checkpoint.validators.epoch,
        validators=Voters(members),
        root=checkpoint.root,
        verifier=verifier,
        epoch_heights=checkpoint.epoch_heights,
    )
    _validate_newest(checkpoint, setting)
    spans = Spans(unbonding=checkpoint.unbonding, heartbeat=checkpoint.heartbeat)
    return Trusted(setting=setting, spans=spans, newest=checkpoint.newest)


def _validate_root(checkpoint: Checkpoint) -> None:
    root, epoch = checkpoint.root, checkpoint.validators.epoch
    named = root.next_set_hash if epoch else (root.set_hash,)
    if root.chain_id != checkpoint.chain_id:
        raise WrongCheckpoint("its root is of another chain")
    if root.height != Height(epoch * checkpoint.epoch_heights):
        raise WrongCheckpoint(f"height {root.height} is not where epoch {epoch} begins")
    if named != (set_hash(checkpoint.validators),):
        raise WrongCheckpoint("its root names other validators")


def _validate_newest(checkpoint: Checkpoint, setting: Setting) -> None:
    """Check that the newest header is the root, or was finalised after it."""
    newest = checkpoint.newest
    if newest.header == checkpoint.root:
        return
    if not newest.certificate or not is_final(newest.header, newest.certificate[0], setting):
        raise WrongCheckpoint("its newest header is not final")
