"""The state after a block: what its ancestors hold, and over it what changed since."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from operator import itemgetter
from typing import Final

import msgspec

from lc_node.chain.bucket import KEY_BYTES
from lc_node.chain.codec import encode
from lc_node.chain.commitment import Commitment
from lc_node.chain.due import DueKey, DueOrder
from lc_node.chain.errors import MalformedEntries
from lc_node.chain.job import Job
from lc_node.chain.overlay import Overlay
from lc_node.chain.records import EMPTY_ACCOUNT, Account, Meta, ValidatorSet
from lc_node.chain.types import Digest, JobId, Millis, PublicKey

ACCOUNT_TABLE: Final = b"a"
JOB_TABLE: Final = b"j"
META_KEY: Final = b"m" + bytes(32)
VALIDATORS_KEY: Final = b"v" + bytes(32)

# Entries were checked when they were made, or by the root of the snapshot they came in.
_ACCOUNT: Final = msgspec.msgpack.Decoder(Account)
_JOB: Final = msgspec.msgpack.Decoder(Job)
_META: Final = msgspec.msgpack.Decoder(Meta)
_VALIDATORS: Final = msgspec.msgpack.Decoder(ValidatorSet)


class _Final:
    """What the last finalised state holds; shared by all states above it."""

    def __init__(self) -> None:
        """Start empty."""
        self.commitment = Commitment()
        self.due = DueOrder()
        self.engaged: set[PublicKey] = set()
        """Who has a stake or served: committees are drawn, and epochs ended, among few of many."""


class State:
    """Records by their keys, each state over its parent's.

    A state with children is no longer changed, except by ``absorb`` and ``flatten``. Accounts of
    the last finalised state are kept encoded only, in its commitment.
    """

    def __init__(
        self,
        *,
        meta: Meta,
        validators: ValidatorSet,
        accounts: Overlay[PublicKey, Account],
        jobs: Overlay[JobId, Job | None],
        final: "_Final",
        parent: "State | None",
    ) -> None:
        """Start from parts: use ``start``, ``load`` or ``child`` instead."""
        self._meta = meta
        self._validators = validators
        self._accounts = accounts
        self._jobs = jobs
        self._final = final
        self._parent = parent
        self._commitment: Commitment | None = None
        self._changes: Mapping[bytes, bytes | None] = {}

    @classmethod
    def start(cls, meta: Meta, validators: ValidatorSet) -> "State":
        """Return a state without accounts and jobs."""
        return cls(
            meta=meta,
            validators=validators,
            accounts=Overlay(),
            jobs=Overlay[JobId, Job | None]().child(),
            final=_Final(),
            parent=None,
        )

    @classmethod
    def load(cls, entries: Iterable[tuple[bytes, bytes]]) -> "State":
        """Return the final state that consists of these entries.

        Raises:
            MalformedEntries: there is no meta record or validator set among them, or a strange key.
        """
        table = dict(entries)
        if any(len(key) != KEY_BYTES for key in table):
            raise MalformedEntries
        if META_KEY not in table or VALIDATORS_KEY not in table:
            raise MalformedEntries("they lack the meta record or the validator set")
        state = cls.start(_META.decode(table[META_KEY]), _VALIDATORS.decode(table[VALIDATORS_KEY]))
        for key, value in table.items():
            if key[:1] == JOB_TABLE:
                state.set_job(JobId(Digest(key[1:])), _JOB.decode(value))
            elif key[:1] == ACCOUNT_TABLE:
                state.set_account(PublicKey(key[1:]), _ACCOUNT.decode(value))
        state.flatten()
        return state

    def child(self) -> "State":
        """Return a state that starts as this one is and can be changed or dropped."""
        return State(
            meta=self._meta,
            validators=self._validators,
            accounts=self._accounts.child(),
            jobs=self._jobs.child(),
            final=self._final,
            parent=self,
        )

    # Reading.

    @property
    def meta(self) -> Meta:
        """The chain as a whole."""
        return self._meta

    @property
    def validators(self) -> ValidatorSet:
        """Who votes on the next block."""
        return self._validators

    def account(self, key: PublicKey) -> Account:
        """Return a key's account; an unknown key has the empty one."""
        account = self._accounts.get(key)
        if account is not None:
            return account
        data = self._final.commitment.get(ACCOUNT_TABLE + key)
        return EMPTY_ACCOUNT if data is None else _ACCOUNT.decode(data)

    def accounts(self) -> Iterator[tuple[PublicKey, Account]]:
        """Yield all accounts that were ever changed, in key order; slow on a large state."""
        found = self._accounts.items()
        for entry, data in self._final.commitment.entries():
            if entry[:1] == ACCOUNT_TABLE:
                found.setdefault(PublicKey(entry[1:]), _ACCOUNT.decode(data))
        yield from sorted(found.items())

    def staked_accounts(self) -> Iterator[tuple[PublicKey, Account]]:
        """Yield the accounts with a bond that counts in this epoch, in key order."""
        return ((key, found) for key, found in self.engaged_accounts() if found.epoch_bond)

    def engaged_accounts(self) -> Iterator[tuple[PublicKey, Account]]:
        """Yield the accounts that the end of an epoch concerns, in key order."""
        for key in sorted(self._final.engaged.union(self._accounts.items())):
            account = self.account(key)
            if account.is_engaged:
                yield key, account

    def job(self, job_id: JobId) -> Job | None:
        """Return a job, None if there is none of this id, or it was pruned."""
        return self._jobs.get(job_id)

    def jobs(self) -> Iterator[Job]:
        """Yield all jobs that are not pruned, by id."""
        for _, job in sorted(self._jobs.items().items(), key=itemgetter(0)):
            if job is not None:
                yield job

    def live_jobs(self) -> Iterator[Job]:
        """Yield the jobs that are not over, by id."""
        return (job for job in self.jobs() if not job.phase.is_over)

    def due_jobs(self, time: Millis, limit: int) -> tuple[JobId, ...]:
        """Return the ids of the first jobs due at a time, by (due, id)."""
        first = islice(self._due_keys(), limit)
        return tuple(job_id for due, job_id in first if due <= time)

    def own_records(self) -> tuple[Mapping[PublicKey, Account], Mapping[JobId, Job | None]]:
        """Return the accounts and jobs that differ from the parent's; a pruned job is None."""
        return self._accounts.own, self._jobs.own

    def next_due(self) -> Millis | None:
        """Return when the first job falls due, None if there is no job."""
        keys = self._due_keys()
        return next((due for due, _ in keys), None)

    def _due_keys(self) -> Iterator[DueKey]:
        """Yield (due, id) of all jobs, in order."""
        changed = self._jobs.changed()
        above = ((job.due, job_id) for job_id, job in changed.items() if job is not None)
        return self._final.due.merged(above, hidden=changed)

    # Changing.

    def set_account(self, key: PublicKey, account: Account) -> None:
        """Replace a key's account."""
        self._accounts.own[key] = account
        self._commitment = None

    def set_job(self, job_id: JobId, job: Job) -> None:
        """Add or replace a job."""
        self._jobs.own[job_id] = job
        self._commitment = None

    def delete_job(self, job_id: JobId) -> None:
        """Prune a job."""
        self._jobs.own[job_id] = None
        self._commitment = None

    def set_meta(self, meta: Meta) -> None:
        """Replace the record of the chain as a whole."""
        self._meta = meta
        self._commitment = None

    def set_validators(self, validators: ValidatorSet) -> None:
        """Replace the validator set."""
        self._validators = validators
        self._commitment = None

    def absorb(self, child: "State") -> None:
        """Take over the changes of a child of this state; the child is spent."""
        accounts, jobs = child.own_records()
        self._accounts.own.update(accounts)
        self._jobs.own.update(jobs)
        self._meta = child.meta
        self._validators = child.validators
        self._commitment = None

    # Committing.

    def root(self) -> Digest:
        """Return the root of the state commitment, which the block's header carries."""
        return self.commitment().root

    def commitment(self) -> Commitment:
        """Return the commitment to all records, for proofs and snapshots."""
        if self._commitment is None:
            below = self._final.commitment if self._parent is None else self._parent.commitment()
            self._changes = self._encoded()
            self._commitment = below.updated(self._changes)
        return self._commitment

    def changes(self) -> Mapping[bytes, bytes | None]:
        """Return the entries that differ from the parent's, for the store; None: removed.

        A final state has none: take them before ``flatten``.
        """
        self.commitment()
        return self._changes

    def flatten(self) -> None:
        """Make this state the last finalised one, at the cost of what changed since the former.

        Its ancestors, and states that descend from them by another way, are spent.
        """
        commitment = self.commitment()
        for job_id, job in self._jobs.changed().items():
            self._final.due.set(job_id, None if job is None else job.due)
        self._jobs.flatten()
        for key, account in self._accounts.items().items():
            engaged = self._final.engaged
            keep = engaged.add if account.is_engaged else engaged.discard
            keep(key)
        commitment.flatten()
        self._accounts.clear()
        self._parent, self._commitment, self._changes = None, self._final.commitment, {}

    def _encoded(self) -> dict[bytes, bytes | None]:
        """Return this state's own records as entries."""
        changes: dict[bytes, bytes | None] = {
            ACCOUNT_TABLE + key: encode(account) for key, account in self._accounts.own.items()
        }
        for job_id, job in self._jobs.own.items():
            changes[JOB_TABLE + job_id] = None if job is None else encode(job)
        if self._parent is None or self._meta is not self._parent.meta:
            changes[META_KEY] = encode(self._meta)
        if self._parent is None or self._validators is not self._parent.validators:
            changes[VALIDATORS_KEY] = encode(self._validators)
        return changes
