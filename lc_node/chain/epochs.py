"""The end of an epoch: credits are issued, bonds take effect, and the next validators are known."""

from collections.abc import Iterator

from msgspec.structs import replace

from lc_node.chain.accounts import with_released
from lc_node.chain.context import BlockContext, Context
from lc_node.chain.credits import issue
from lc_node.chain.errors import AlreadyReady, NothingBonded, WrongEpoch
from lc_node.chain.events import EpochBegan, Paid, Reason
from lc_node.chain.params import HOUR_MS, ProtocolParams
from lc_node.chain.records import NO_SERVICE, Account
from lc_node.chain.state import State
from lc_node.chain.transactions import Ready
from lc_node.chain.types import (
    ZERO_DIGEST,
    Digest,
    Epoch,
    Height,
    JobId,
    MicroCredits,
    Millis,
    PublicKey,
    View,
)
from lc_node.chain.validators import compute_next_set, set_hash


def get_last_height(params: ProtocolParams, epoch: Epoch) -> Height | None:
    """Return the height of an epoch's last block, None if epoch 0 never ends."""
    return Height((epoch + 1) * params.epoch_heights) if params.epoch_heights else None


def process_ready(state: State, context: Context, body: Ready) -> None:
    """Take note that the sender wants to be a validator of the next epoch.

    Raises:
        WrongEpoch, NothingBonded, AlreadyReady: in this order.
    """
    account = state.account(context.sender)
    if body.epoch != context.epoch:
        raise WrongEpoch(context.epoch, body.epoch)
    if account.bond == 0:
        raise NothingBonded
    if account.service.is_ready:
        raise AlreadyReady
    service = replace(account.service, is_ready=True)
    state.set_account(context.sender, replace(account, service=service))


def process_epoch_end(state: State, block: BlockContext) -> tuple[Digest, ...]:
    """End the epoch, if this block is its last one.

    Returns:
        The hash of the next validator set, for the header; empty if the epoch goes on.
    """
    if block.height != get_last_height(block.params, block.epoch):
        return ()
    validators = compute_next_set(state, block.params)
    _issue_credits(state, block)
    _settle_accounts(state, block, validators.epoch)
    state.set_validators(validators)
    state.set_meta(
        replace(state.meta, epoch=validators.epoch, epoch_began=block.time, view=View(0))
    )
    block.emit(EpochBegan(validators=validators))
    return (set_hash(validators),)


def compute_issuance(params: ProtocolParams, began: Millis, ended: Millis) -> MicroCredits:
    """Return what an epoch between two block times may issue at most."""
    elapsed = min(ended - began, params.epoch_ms_max)
    return MicroCredits(params.issue_per_hour * elapsed // HOUR_MS)


def _issue_credits(state: State, block: BlockContext) -> None:
    """Pay half to the proposers by their blocks, half by duties done; what is left over is not issued."""
    half = compute_issuance(block.params, state.meta.epoch_began, block.time) // 2
    served = [(key, account.service) for key, account in state.engaged_accounts()]
    blocks = {key: service.blocks for key, service in served}
    duties = {key: service.duties for key, service in served}
    for reason, done in ((Reason.BLOCKS, blocks), (Reason.DUTIES, duties)):
        for key, share in _shares(half, done):
            if not state.account(key).is_banned:
                issue(state, key, share)
                block.emit(Paid(job=JobId(ZERO_DIGEST), to=key, reason=reason, amount=share))


def _shares(total: int, done: dict[PublicKey, int]) -> Iterator[tuple[PublicKey, MicroCredits]]:
    """Yield who gets how much, above zero, by what each has done."""
    everything = max(1, sum(done.values()))
    for key, count in done.items():
        share = MicroCredits(total * count // everything)
        if share:
            yield key, share


def _settle_accounts(state: State, block: BlockContext, epoch: Epoch) -> None:
    """Let bonds and links count as they stand, release what has finished unbonding, count anew."""
    for key, account in tuple(state.engaged_accounts()):
        released = with_released(account, block.params, block.time, epoch)
        state.set_account(key, _renewed(released))


def _renewed(account: Account) -> Account:
    """Return an account as a new epoch finds it."""
    return replace(
        account,
        epoch_bond=account.bond,
        link=account.next_link or account.link,
        next_link=(),
        service=NO_SERVICE,
    )
