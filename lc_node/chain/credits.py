"""Where credits go: every amount leaves one place and enters another, or is burned by name."""

from msgspec.structs import replace

from lc_node.chain.errors import InsufficientBalance
from lc_node.chain.job import get_held_credits
from lc_node.chain.records import Account, Unbonding
from lc_node.chain.state import State
from lc_node.chain.types import MicroCredits, PublicKey


def validate_balance(state: State, key: PublicKey, amount: MicroCredits) -> None:
    """Check that an account can be charged an amount.

    Raises:
        InsufficientBalance: it owns less.
    """
    balance = state.account(key).balance
    if balance < amount:
        raise InsufficientBalance(balance, amount)


def charge(state: State, key: PublicKey, amount: MicroCredits) -> None:
    """Take credits from a balance; the caller puts them somewhere.

    Raises:
        InsufficientBalance: the account owns less.
    """
    account = state.account(key)
    if account.balance < amount:
        raise InsufficientBalance(account.balance, amount)
    state.set_account(key, replace(account, balance=MicroCredits(account.balance - amount)))


def pay(state: State, key: PublicKey, amount: MicroCredits) -> None:
    """Put credits that the caller took somewhere into a balance; a banned key's are burned."""
    account = state.account(key)
    if account.is_banned:
        burn(state, amount)
    else:
        state.set_account(key, replace(account, balance=MicroCredits(account.balance + amount)))


def burn(state: State, amount: MicroCredits) -> None:
    """Count credits that the caller took somewhere as gone."""
    meta = state.meta
    state.set_meta(replace(meta, burned=MicroCredits(meta.burned + amount)))


def issue(state: State, key: PublicKey, amount: MicroCredits) -> None:
    """Make new credits and put them into the balance of a key that is not banned."""
    meta = state.meta
    state.set_meta(replace(meta, issued=MicroCredits(meta.issued + amount)))
    pay(state, key, amount)


def slash(state: State, key: PublicKey, amount: MicroCredits) -> MicroCredits:
    """Take credits at stake, the bond first, then what is unbonding, the latest first.

    Returns:
        What was taken, at most all that was at stake; the caller puts it somewhere.
    """
    account = state.account(key)
    taken = MicroCredits(min(amount, account.slashable))
    state.set_account(key, _slashed(account, taken))
    return taken


def get_credits_total(state: State) -> MicroCredits:
    """Return all credits, wherever they are, the burned ones included; slow on a large state.

    It never differs from what genesis gave and epochs issued.
    """
    owned = sum(account.balance + account.slashable for _, account in state.accounts())
    held = sum(get_held_credits(job) for job in state.jobs())
    return MicroCredits(owned + held + state.meta.burned)


def _slashed(account: Account, amount: MicroCredits) -> Account:
    """Return an account with an amount less at stake, which it must have."""
    from_bond = min(account.bond, amount)
    rest = amount - from_bond
    left: list[Unbonding] = []
    for entry in reversed(account.unbonding):
        part = min(entry.amount, rest)
        rest -= part
        if part < entry.amount:
            left.append(replace(entry, amount=MicroCredits(entry.amount - part)))
    return replace(
        account,
        bond=MicroCredits(account.bond - from_bond),
        epoch_bond=MicroCredits(max(0, account.epoch_bond - amount)),
        unbonding=tuple(reversed(left)),
    )
