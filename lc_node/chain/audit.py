"""The books of a chain: where every credit of every account came from, and where it went.

They are kept from what blocks say (transfers and receipts), and compared with what the state holds: a
credit that moves without a word about it is found in the block in which it moves.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from lc_node.chain.codec import Record
from lc_node.chain.errors import LearningChainError, in_credits
from lc_node.chain.events import Banned, Burned, JobPosted, Locked, Paid, Reason
from lc_node.chain.job import Job, get_held_credits
from lc_node.chain.records import Account
from lc_node.chain.state import State
from lc_node.chain.transactions import Transaction, Transfer
from lc_node.chain.types import ZERO_DIGEST, Height, JobId, PublicKey

NO_JOB: Final = JobId(ZERO_DIGEST)
BEFORE: Final = "before the beginning"
"""The reason of what was burned before the books were opened."""


class Cause(StrEnum):
    """Why an account has more credits, or fewer, than before; bonds of its own stake count as its own."""

    BEGINNING = "at the beginning"
    BLOCKS = "issued for blocks"
    DUTIES = "issued for duties"
    RECEIVED = "received"
    SENT = "sent"
    BOUNTY_OFFERED = "bounties offered"
    BOUNTY_RETURNED = "bounties returned"
    BOUNTY_WON = "bounties won"
    FEE_OFFERED = "fees paid"
    FEE_RETURNED = "fees returned"
    EVALUATED = "paid for evaluations"
    BID_BOND_LOCKED = "bonds put on bids"
    BID_BOND_RETURNED = "bonds of bids returned"
    SLASHED = "slashed"
    BANNED = "lost by a ban"


_OUT_OF_THE_BOND: Final = frozenset({Reason.SILENT, Reason.WRONG_LOSSES})
"""Burned from an account's stake; everything else that is burned was held by a job before."""

_LOCKED: Final = MappingProxyType(
    {
        Reason.BOUNTY: Cause.BOUNTY_OFFERED,
        Reason.FEE: Cause.FEE_OFFERED,
        Reason.BID_BOND: Cause.BID_BOND_LOCKED,
    }
)
_PAID: Final = MappingProxyType(
    {
        Reason.BLOCKS: Cause.BLOCKS,
        Reason.DUTIES: Cause.DUTIES,
        Reason.CANCELLED: Cause.BOUNTY_RETURNED,
        Reason.FEE_REST: Cause.FEE_RETURNED,
        Reason.VERIFIED: Cause.EVALUATED,
        Reason.BID_BOND: Cause.BID_BOND_RETURNED,
    }
)


class BooksDiffer(LearningChainError):
    """The state holds other credits than all that happened explains."""

    def __init__(self, height: Height, what: str, booked: int, found: int) -> None:
        """Say where, whose, and both amounts in micro-credits."""
        super().__init__(
            f"at height {height} {what}: {in_credits(booked)} credits are explained, and the state "
            f"holds {in_credits(found)}; do not trust this chain, and keep its files to show others"
        )
        self.height = height
        self.what = what
        self.booked = booked
        self.found = found


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the books."""

    key: PublicKey
    cause: Cause
    amount: int
    """Negative if it went away."""


class Books:
    """One account for each key, one for each job, one for what is issued and one for what is burned."""

    def __init__(self, state: State) -> None:
        """Open with what a state holds: what genesis gave, if it is the first one."""
        self.accounts: defaultdict[PublicKey, defaultdict[Cause, int]] = defaultdict(
            lambda: defaultdict(int)
        )
        self.held: defaultdict[JobId, int] = defaultdict(int)
        self.burned: defaultdict[str, int] = defaultdict(int)
        """By the reason."""
        self._submitters: dict[JobId, PublicKey] = {}
        self.issued: int = state.meta.issued
        if state.meta.burned:
            self.burned[BEFORE] = state.meta.burned
        for job in state.jobs():
            self._submitters[job.id] = job.submitter
            self.held[job.id] = get_held_credits(job)
        for key, account in state.accounts():
            self._enter(Entry(key=key, cause=Cause.BEGINNING, amount=_total(account)))

    def total(self, cause: Cause) -> int:
        """Return what all accounts together have of a cause."""
        return sum(account[cause] for account in self.accounts.values() if cause in account)

    def post(self, transactions: Iterable[Transaction], events: Iterable[Record]) -> None:
        """Enter what a block did."""
        for transaction in transactions:
            for entry in _transferred(transaction):
                self._enter(entry)
        for event in events:
            self._post(event)

    def validate(self, state: State, keys: Collection[PublicKey], jobs: Collection[JobId]) -> None:
        """Check that a state holds what the books say of some accounts and jobs, and of all credits.

        Raises:
            BooksDiffer: it holds something else.
        """
        meta = state.meta
        for key in sorted(keys):
            booked = sum(self.accounts[key].values()) if key in self.accounts else 0
            self._compare(state, f"account {key.hex()}", booked, _total(state.account(key)))
        for job in sorted(jobs):
            self._compare(state, f"job {job.hex()}", self.held[job], _held(state.job(job)))
            if not self.held[job]:
                del self.held[job]
        self._compare(state, "all that is burned", sum(self.burned.values()), meta.burned)
        self._compare(state, "all that is issued", self.issued, meta.issued)

    def validate_whole(self, state: State) -> None:
        """Check every account and every job, and that nothing is anywhere else.

        Raises:
            BooksDiffer: something is.
        """
        keys = {key for key, _ in state.accounts()} | set(self.accounts)
        jobs = {job.id for job in state.jobs()} | set(self.held)
        self.validate(state, keys, jobs)
        meta = state.meta
        everything = sum(sum(account.values()) for account in self.accounts.values())
        everything += sum(self.held.values()) + sum(self.burned.values())
        self._compare(state, "all credits", everything, meta.genesis_credits + meta.issued)

    def _compare(self, state: State, what: str, booked: int, found: int) -> None:
        if booked != found:
            raise BooksDiffer(state.meta.height, what, booked, found)

    def _post(self, event: Record) -> None:
        match event:
            case JobPosted(job=job, submitter=submitter):
                self._submitters[job] = submitter
            case Locked(job=job, key=key, reason=reason, amount=amount):
                self.held[job] += amount
                self._enter(Entry(key=key, cause=_LOCKED[reason], amount=-amount))
            case Paid(job=job, to=key, reason=reason, amount=amount):
                if job == NO_JOB:
                    self.issued += amount
                else:
                    self.held[job] -= amount
                cause = self._bounty(job, key) if reason is Reason.BOUNTY else _PAID[reason]
                self._enter(Entry(key=key, cause=cause, amount=amount))
            case Burned(job=job, key=key, reason=reason, amount=amount):
                self.burned[reason] += amount
                if reason in _OUT_OF_THE_BOND:
                    self._enter(Entry(key=key, cause=Cause.SLASHED, amount=-amount))
                else:
                    self.held[job] -= amount
            case Banned(key=key, reason=reason, burned=amount):
                self.burned[reason] += amount
                self._enter(Entry(key=key, cause=Cause.BANNED, amount=-amount))
            case _:
                pass

    def _bounty(self, job: JobId, to: PublicKey) -> Cause:
        is_back = self._submitters.get(job) == to
        return Cause.BOUNTY_RETURNED if is_back else Cause.BOUNTY_WON

    def _enter(self, entry: Entry) -> None:
        if entry.amount:
            self.accounts[entry.key][entry.cause] += entry.amount


def validate_supply(parent: State, state: State) -> None:
    """Check that a block made no credit and lost none, by the records that it changed.

    Raises:
        BooksDiffer: it did; ``booked`` is what there should be more than before.
    """
    accounts, jobs = state.own_records()
    moved = sum(_total(new) - _total(parent.account(key)) for key, new in accounts.items())
    moved += sum(_held(new) - _held(parent.job(job)) for job, new in jobs.items())
    moved += state.meta.burned - parent.meta.burned
    issued = state.meta.issued - parent.meta.issued
    if moved != issued:
        raise BooksDiffer(state.meta.height, "all that the block changed", issued, moved)


def sorted_causes(account: Mapping[Cause, int]) -> Iterator[tuple[Cause, int]]:
    """Yield an account's causes and amounts, in the order of ``Cause``."""
    return ((cause, account[cause]) for cause in Cause if account.get(cause))


def _transferred(transaction: Transaction) -> Iterator[Entry]:
    match transaction.body:
        case Transfer(to=to, amount=amount):
            yield Entry(key=transaction.sender, cause=Cause.SENT, amount=-amount)
            yield Entry(key=to, cause=Cause.RECEIVED, amount=amount)
        case _:
            pass


def _total(account: Account) -> int:
    return account.balance + account.slashable


def _held(job: Job | None) -> int:
    return 0 if job is None else get_held_credits(job)
