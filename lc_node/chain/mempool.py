"""Transactions that wait for a block: bounded, and fair to accounts and to peers."""

from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NewType

from msgspec.structs import replace

from lc_node.chain.codec import encode
from lc_node.chain.errors import (
    AlreadyPending,
    InvalidTransaction,
    MempoolFull,
    TooManyPending,
    TransactionRefused,
    TransactionTooLarge,
)
from lc_node.chain.params import ProtocolParams
from lc_node.chain.state import State
from lc_node.chain.transactions import TRANSACTION_BYTES_MAX, SignedTransaction
from lc_node.chain.transition import apply_transaction, get_block_context
from lc_node.chain.types import ByteCount, Digest, Height, Millis, Nonce, PublicKey
from lc_node.merkle import leaf_hash

RECHECKS_PER_BLOCK: Final = 64
"""Of a full mempool each is looked at again within 80 blocks; until then it costs a proposer a vain attempt."""

Source = NewType("Source", bytes)
"""Who handed a transaction to us: a peer's key, or empty for our own user."""

Entitlement = tuple[int, int, int, bytes]
"""Epoch bond and balance of the sender, then age: the least is evicted first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A transaction that was valid, alone, on the last finalised state; its signature is good."""

    signed: SignedTransaction
    digest: Digest
    """Its ``signed_hash``."""
    size: ByteCount
    source: Source
    since: Millis
    entitlement: Entitlement

    @property
    def sender(self) -> PublicKey:
        """Whose it is."""
        return self.signed.transaction.sender

    @property
    def nonce(self) -> Nonce:
        """Its place among the sender's transactions."""
        return self.signed.transaction.nonce

    @property
    def valid_until(self) -> Height:
        """The last height that can take it."""
        return self.signed.transaction.valid_until


class Mempool:
    """The waiting transactions of one node; every limit is the parameters'."""

    def __init__(self, params: ProtocolParams) -> None:
        """Start empty."""
        self._params = params
        self._by_hash: dict[bytes, Pending] = {}
        self._by_sender: dict[PublicKey, dict[Nonce, Pending]] = {}
        self._by_end: dict[Height, dict[Digest, Pending]] = {}
        """By the last height that can take them."""
        self._ranking: list[Entitlement] = []
        self._turns: OrderedDict[Digest, Pending] = OrderedDict()
        self._bytes = 0
        self.refusals: Final[Counter[str]] = Counter()
        """Transactions that were not let in, by the class of the error."""

    def __len__(self) -> int:
        return len(self._by_hash)

    def __contains__(self, signed_hash: object) -> bool:
        """Whether a transaction of this hash waits here, so that its signature is known as good."""
        return signed_hash in self._by_hash

    @property
    def bytes(self) -> ByteCount:
        """What all waiting transactions take."""
        return ByteCount(self._bytes)

    def get(self, signed_hash: Digest) -> SignedTransaction | None:
        """Return a waiting transaction by its hash, to hand on to a peer."""
        pending = self._by_hash.get(signed_hash)
        return None if pending is None else pending.signed

    def names(self) -> tuple[Digest, ...]:
        """Return the hashes of all waiting transactions, the oldest first."""
        return tuple(pending.digest for pending in self._by_hash.values())

    def add(self, signed: SignedTransaction, state: State, now: Millis, source: Source) -> Pending:
        """Admit a transaction that is valid on the last finalised state.

        Raises:
            TransactionRefused: it is not, or there is no room; the class says why.
        """
        try:
            pending = self._admissible(signed, state, now, source)
            self._make_room(pending)
        except TransactionRefused as error:
            self.refusals[type(error).__name__] += 1
            raise
        self._insert(pending)
        return pending

    def candidates(self) -> Iterator[Pending]:
        """Yield all, one of each source in turn; each sender's in the order of its nonces."""
        waiting: dict[PublicKey, Iterator[tuple[Nonce, Pending]]] = {}
        queues: dict[Source, list[PublicKey]] = {}
        for pending in self._by_hash.values():
            queues.setdefault(pending.source, []).append(pending.sender)
        turns = [iter(queue) for queue in queues.values()]
        while turns:
            still: list[Iterator[PublicKey]] = []
            for turn in turns:
                sender = next(turn, None)
                if sender is not None:
                    if sender not in waiting:
                        waiting[sender] = iter(sorted(self._by_sender[sender].items()))
                    yield next(waiting[sender])[1]
                    still.append(turn)
            turns = still

    def has_includable(self, state: State) -> bool:
        """Return whether some transaction is not yet included in a state, nor too late for it."""
        return any(
            _is_timely(entry, nonce, state.meta.height)
            for sender, entries in self._by_sender.items()
            for nonce in (state.account(sender).nonce,)
            for entry in entries.values()
        )

    def refresh(
        self, state: State, now: Millis, senders: Iterable[PublicKey] | None = None
    ) -> None:
        """Drop what a newly finalised state includes or makes too late, and some that it forbids.

        Only who has sent something since has used up nonces: ``senders``, or all if that is not known.
        To ask all rules takes time, so they are asked of a few each time, in turn.
        """
        for sender in tuple(self._by_sender) if senders is None else senders:
            nonce = state.account(sender).nonce
            for entry in tuple(self._by_sender.get(sender, {}).values()):
                if entry.nonce <= nonce:
                    self._remove(entry)
        for until in [until for until in self._by_end if until <= state.meta.height]:
            for entry in tuple(self._by_end[until].values()):
                self._remove(entry)
        for _ in range(min(RECHECKS_PER_BLOCK, len(self._turns))):
            name, entry = next(iter(self._turns.items()))
            self._turns.move_to_end(name)
            try:
                self._validate_rules(entry.signed, state, now, is_verified=True)
            except InvalidTransaction:
                self._remove(entry)

    def _admissible(
        self, signed: SignedTransaction, state: State, now: Millis, source: Source
    ) -> Pending:
        """Return a transaction ready to be entered, if the rules allow it."""
        data = encode(signed)
        self._validate_room(signed, len(data))
        self._validate_rules(signed, state, now, is_verified=False)
        account = state.account(signed.transaction.sender)
        name = Digest(leaf_hash(data))
        return Pending(
            signed=signed,
            digest=name,
            size=ByteCount(len(data)),
            source=source,
            since=now,
            entitlement=(account.epoch_bond, account.balance, -now, name),
        )

    def _validate_room(self, signed: SignedTransaction, size: int) -> None:
        """Refuse what is too large, known, or one too many of its sender."""
        if size > TRANSACTION_BYTES_MAX:
            raise TransactionTooLarge(TRANSACTION_BYTES_MAX, size)
        transaction = signed.transaction
        entries = self._by_sender.get(transaction.sender, {})
        if transaction.nonce in entries:
            raise AlreadyPending(transaction.nonce)
        if len(entries) >= self._params.pending_per_account_max:
            raise TooManyPending(self._params.pending_per_account_max)

    def _validate_rules(
        self, signed: SignedTransaction, state: State, now: Millis, *, is_verified: bool
    ) -> None:
        """Refuse what a block right after this state could not take."""
        trial = state.child()
        meta = state.meta
        height, time = Height(meta.height + 1), Millis(max(now, meta.time + 1))
        trial.set_meta(replace(meta, height=height, time=time))
        block = get_block_context(trial, self._params)
        apply_transaction(trial, block, signed, is_verified=is_verified)

    def _make_room(self, newcomer: Pending) -> None:
        """Evict the least entitled until there is room, if all of them are less entitled."""
        count = len(self._by_hash) + 1 - self._params.mempool_transactions_max
        excess = self._bytes + newcomer.size - self._params.mempool_bytes_max
        evicted: list[Pending] = []
        for entitlement in self._ranking:
            if count <= 0 and excess <= 0:
                break
            if entitlement > newcomer.entitlement:
                raise MempoolFull
            evicted.append(self._by_hash[entitlement[-1]])
            count, excess = count - 1, excess - evicted[-1].size
        for pending in evicted:
            self._remove(pending)

    def _insert(self, pending: Pending) -> None:
        """Enter a transaction everywhere."""
        self._by_hash[pending.digest] = pending
        self._by_sender.setdefault(pending.sender, {})[pending.nonce] = pending
        self._by_end.setdefault(pending.valid_until, {})[pending.digest] = pending
        insort(self._ranking, pending.entitlement)
        self._turns[pending.digest] = pending
        self._bytes += pending.size

    def _remove(self, pending: Pending) -> None:
        """Take a transaction out everywhere."""
        del self._by_hash[pending.digest]
        entries = self._by_sender[pending.sender]
        del entries[pending.nonce]
        if not entries:
            del self._by_sender[pending.sender]
        ending = self._by_end[pending.valid_until]
        del ending[pending.digest]
        if not ending:
            del self._by_end[pending.valid_until]
        del self._ranking[bisect_left(self._ranking, pending.entitlement)]
        del self._turns[pending.digest]
        self._bytes -= pending.size


def _is_timely(entry: Pending, nonce: Nonce, height: Height) -> bool:
    """Return whether a block above this height could take it from an account with this nonce."""
    return entry.nonce > nonce and entry.valid_until > height
