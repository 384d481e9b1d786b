"""What becomes of an account that broke a rule: suspended for a while, or banned for good."""

from msgspec.structs import replace

from lc_node.chain.credits import burn
from lc_node.chain.records import Account
from lc_node.chain.state import State
from lc_node.chain.types import JobId, MicroCredits, Millis, PublicKey


def ban(state: State, key: PublicKey, time: Millis) -> MicroCredits:
    """Ban a key for good and burn its balance, bond and unbonding credits.

    Its beacon link stays: a banned validator keeps its place until the epoch ends. Bonds of its bids
    are the market's to burn. Banning a banned key changes nothing.

    Returns:
        What was burned here.
    """
    account = state.account(key)
    if account.is_banned:
        return MicroCredits(0)
    lost = MicroCredits(account.balance + account.slashable)
    state.set_account(key, Account(nonce=account.nonce, banned_at=time, link=account.link))
    burn(state, lost)
    return lost


def suspend(state: State, key: PublicKey, job: JobId) -> None:
    """Bar a refuted bidder from moving credits, posting, bidding and seats, until the job is over."""
    account = state.account(key)
    jobs = tuple(sorted({*account.suspended_by, job}))
    state.set_account(key, replace(account, suspended_by=jobs))


def release(state: State, key: PublicKey, job: JobId) -> None:
    """Lift what one job's end lifts of a suspension."""
    account = state.account(key)
    jobs = tuple(other for other in account.suspended_by if other != job)
    state.set_account(key, replace(account, suspended_by=jobs))
