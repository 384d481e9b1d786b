"""What happened, for the owner: events of jobs, changes of the own credits, times of blocks."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from lc_node.api import schema
from lc_node.chain.blocks import BLOCK_DECODER, Block
from lc_node.chain.codec import Record
from lc_node.chain.events import (
    MARKET_EVENT_DECODER,
    Banned,
    Locked,
    Paid,
)
from lc_node.chain.transactions import Bond, Transaction, Transfer
from lc_node.chain.types import Height, JobId, Millis, PublicKey
from lc_node.ports.stores import ChainStore
from lc_node.runtime.event_texts import event_of, job_name, short
from lc_node.runtime.ledger import Finalized

_CHANGES_MAX: Final = 10_000
_TIMES_MAX: Final = 10_000
_REPLAYED_MAX: Final = 2_000
"""Blocks that are read again at the start, so that the wallet's story survives a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    amount: int
    code: str
    text: str
    job: JobId | None


class History:
    """Listens to final blocks, and reads older ones from the store."""

    def __init__(
        self, store: ChainStore, me: PublicKey, publish: Callable[[schema.Event], None]
    ) -> None:
        """Tell ``publish`` of every event from now on."""
        self._store = store
        self._me = me
        self._publish = publish
        self._times: dict[Height, Millis] = {}
        self._changes: deque[schema.CreditChange] = deque(maxlen=_CHANGES_MAX)
        self._replay()

    def hear(self, finalized: Finalized) -> None:
        """Take a block that has become final."""
        header = finalized.block.header
        self._note_block(finalized.block, finalized.events)
        for record in finalized.events:
            event = event_of(record, header.height, header.time)
            if event is not None:
                self._publish(event)

    @property
    def begins_at(self) -> Height:
        """From which height on blocks are kept here."""
        return self._store.first()

    def events_of(self, job: JobId) -> tuple[schema.Event, ...]:
        """Return a job's story in chain order."""
        told = (
            event_of(MARKET_EVENT_DECODER.decode(data), height, self.time_of(height))
            for height, data in self._store.receipts_of(job)
        )
        return tuple(event for event in told if event is not None)

    def time_of(self, height: Height) -> Millis:
        """Return a final block's time; 0 if it is not kept."""
        if height not in self._times:
            data = self._store.block_at(height)
            time = Millis(0) if data is None else BLOCK_DECODER.decode(data).header.time
            self._note_time(height, time)
        return self._times[height]

    def posted_at(self, job: JobId) -> Millis:
        """Return when a job was posted; 0 if that is not kept."""
        receipts = self._store.receipts_of(job)
        return self.time_of(receipts[0][0]) if receipts else Millis(0)

    def changes(self, most: int) -> tuple[schema.CreditChange, ...]:
        """Return the latest changes of the own credits, newest first."""
        newest = list(self._changes)[::-1]
        return tuple(newest[:most])

    def _replay(self) -> None:
        tip = self._store.tip()
        last = 0 if tip is None else tip[0]
        for height in range(max(1, last - _REPLAYED_MAX), last + 1):
            data = self._store.block_at(Height(height))
            receipts = self._store.receipts_at(Height(height))
            if data is not None:
                records = [MARKET_EVENT_DECODER.decode(receipt) for _, receipt in receipts]
                self._note_block(BLOCK_DECODER.decode(data), records)

    def _note_block(self, block: Block, records: Sequence[Record]) -> None:
        """Take what a block tells of the own credits."""
        header = block.header
        self._note_time(header.height, header.time)
        for signed in block.transactions:
            change = self._sent(signed.transaction)
            if change is not None:
                self._add(change, header.height, header.time)
        for record in records:
            change = self._change(record)
            if change is not None:
                self._add(change, header.height, header.time)

    def _note_time(self, height: Height, time: Millis) -> None:
        self._times[height] = time
        if len(self._times) > _TIMES_MAX:
            del self._times[next(iter(self._times))]

    def _add(self, change: _Change, height: Height, time: Millis) -> None:
        self._changes.append(
            schema.CreditChange(
                height=height,
                time=schema.Millis(time),
                amount=change.amount,
                code=change.code,
                text=change.text,
                job=None if change.job is None else job_name(change.job),
            )
        )

    def _change(self, record: Record) -> _Change | None:
        """Return what a receipt did to our balance, None if nothing.

        What a job holds has left the balance already when it is burned.
        """
        match record:
            case Paid(to=self._me, amount=amount, reason=reason, job=job):
                return _Change(amount=amount, code=str(reason), text=_words(reason), job=job)
            case Locked(key=self._me, amount=amount, reason=reason, job=job):
                return _Change(amount=-amount, code=str(reason), text=_words(reason), job=job)
            case Banned(key=self._me, burned=amount, job=job):
                return _Change(amount=-amount, code="banned", text="banned", job=job)
            case _:
                return None

    def _sent(self, transaction: Transaction) -> _Change | None:
        """Return what a transaction did to our balance, None if a receipt tells it, or nothing."""
        match transaction.body:
            case Transfer(to=to, amount=amount, memo=memo):
                gained = amount * ((to == self._me) - (transaction.sender == self._me))
                if not gained:
                    return None
                other = f"from {short(transaction.sender)}" if gained > 0 else f"to {short(to)}"
                said = memo.decode(errors="replace")
                text = f"{other}: {said}" if said else other
                return _Change(amount=gained, code="transfer", text=text, job=None)
            case Bond(amount=amount) if transaction.sender == self._me and amount:
                return _Change(amount=-amount, code="bonded", text="bonded", job=None)
            case _:
                return None


def _words(reason: str) -> str:
    return str(reason).replace("_", " ")
