"""What an account may do with its credits, and how often it may ask for anything."""

from typing import Final

from msgspec.structs import replace

from lc_node.chain.context import BlockContext, Context
from lc_node.chain.credits import charge
from lc_node.chain.errors import (
    InsufficientBond,
    NonceTooLow,
    NothingToDo,
    RecipientBanned,
    SenderBanned,
    SenderSuspended,
    TooFrequent,
    TooManyUnbondings,
)
from lc_node.chain.params import CREDIT, ProtocolParams
from lc_node.chain.records import Account, Unbonding
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    Bid,
    Bond,
    Open,
    PostJob,
    TopUp,
    Transaction,
    Transfer,
    Unbond,
    VerdictCommit,
    VerdictReveal,
)
from lc_node.chain.types import Epoch, MicroCredits, Millis, MilliTokens

TOKEN: Final = MilliTokens(1_000)
"""What a transaction takes from its sender's bucket."""

DUTIES: Final = (Open, VerdictCommit, VerdictReveal)
"""What the chain expects from its sender takes no token."""

BARRED_WHILE_SUSPENDED: Final = (Transfer, Bond, Unbond, PostJob, TopUp, Bid)
"""What a refuted bidder may not send until the job is over: nothing that moves its credits away."""


def process_envelope(state: State, block: BlockContext, transaction: Transaction) -> None:
    """Admit a sender: count its nonce, take a token, release what has finished unbonding.

    Raises:
        SenderBanned, SenderSuspended, NonceTooLow, TooFrequent: it may not send this now.
    """
    sender, body = transaction.sender, transaction.body
    account = state.account(sender)
    if account.is_banned:
        raise SenderBanned
    if account.suspended_by and isinstance(body, BARRED_WHILE_SUSPENDED):
        raise SenderSuspended(account.suspended_by[0])
    if transaction.nonce <= account.nonce:
        raise NonceTooLow(account.nonce, transaction.nonce)
    account = with_released(account, block.params, block.time, block.epoch)
    needed = 0 if isinstance(body, DUTIES) else TOKEN
    tokens = get_tokens(account, block.params, block.time)
    if tokens < needed:
        raise TooFrequent(tokens, needed)
    admitted = replace(
        account,
        nonce=transaction.nonce,
        tokens=MilliTokens(tokens - needed),
        tokens_at=block.time,
    )
    state.set_account(sender, admitted)


def get_tokens(account: Account, params: ProtocolParams, time: Millis) -> MilliTokens:
    """Return what an account's token bucket holds at a time: it refills by balance and bond."""
    rate = params.tokens_per_second_per_bonded_credit * account.epoch_bond // CREDIT
    if account.balance >= params.balance_min:
        rate += params.tokens_per_second
    refill = (time - account.tokens_at) * rate // 1_000
    return MilliTokens(min(params.tokens_max, account.tokens + refill))


def process_transfer(state: State, context: Context, body: Transfer) -> None:
    """Give credits to another account.

    Raises:
        NothingToDo, RecipientBanned, InsufficientBalance: in this order.
    """
    if body.amount == 0:
        raise NothingToDo
    recipient = state.account(body.to)
    if recipient.is_banned:
        raise RecipientBanned
    charge(state, context.sender, body.amount)
    if body.to == context.sender:
        recipient = state.account(body.to)
    # The bucket is settled at the old balance: credits that come refill it from now on only.
    paid = replace(
        recipient,
        balance=MicroCredits(recipient.balance + body.amount),
        tokens=get_tokens(recipient, context.params, context.time),
        tokens_at=context.time,
    )
    state.set_account(body.to, paid)


def process_bond(state: State, context: Context, body: Bond) -> None:
    """Put credits at stake, to count from the next epoch.

    A new link counts from then as well, or its owner could choose among beacons. The offer of
    resources counts at once: it gives no weight.

    Raises:
        NothingToDo, InsufficientBalance: in this order.
    """
    if body.amount == 0 and not body.link and not body.resources:
        raise NothingToDo
    charge(state, context.sender, body.amount)
    account = state.account(context.sender)
    bonded = replace(
        account,
        bond=MicroCredits(account.bond + body.amount),
        next_link=body.link or account.next_link,
        resources=body.resources or account.resources,
    )
    state.set_account(context.sender, bonded)


def process_unbond(state: State, context: Context, body: Unbond) -> None:
    """Begin to withdraw stake; it counts until the epoch ends, and stays slashable for longer.

    Raises:
        NothingToDo, InsufficientBond, TooManyUnbondings: in this order.
    """
    account = state.account(context.sender)
    if body.amount == 0:
        raise NothingToDo
    if account.bond < body.amount:
        raise InsufficientBond(account.bond, body.amount)
    if len(account.unbonding) >= context.params.unbondings_max:
        raise TooManyUnbondings(context.params.unbondings_max)
    entry = Unbonding(amount=body.amount, time=context.time, epoch=context.epoch)
    unbonding = replace(
        account,
        bond=MicroCredits(account.bond - body.amount),
        unbonding=(*account.unbonding, entry),
    )
    state.set_account(context.sender, unbonding)


def with_released(account: Account, params: ProtocolParams, time: Millis, epoch: Epoch) -> Account:
    """Return an account with the credits in its balance whose time and epochs have passed."""
    if not account.unbonding:
        return account
    kept = tuple(
        entry
        for entry in account.unbonding
        if entry.time + params.unbonding_ms > time or entry.epoch + params.unbonding_epochs > epoch
    )
    left = sum(entry.amount for entry in kept)
    released = sum(entry.amount for entry in account.unbonding) - left
    return replace(account, balance=MicroCredits(account.balance + released), unbonding=kept)
