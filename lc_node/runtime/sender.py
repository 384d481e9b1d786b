"""Sends this node's transactions and sees them through: until final, or refused by name."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from lc_node.chain.codec import encode
from lc_node.chain.crypto import Signer
from lc_node.chain.errors import AlreadyPending, LearningChainError, MempoolFull, TooManyPending
from lc_node.chain.mempool import Source
from lc_node.chain.transactions import (
    TRANSACTION_DECODER,
    Body,
    SignedTransaction,
    Transaction,
    transaction_id,
)
from lc_node.chain.types import ChainId, Height, Millis, Nonce, TransactionId
from lc_node.ports.clock import Clock
from lc_node.runtime.histogram import Histogram
from lc_node.runtime.ledger import Finalized, Ledger

VALID_BLOCKS: Final = 1_000
"""A transaction that has not been included after so many blocks is signed anew."""

REPEAT_SECONDS: Final = 1.0
"""A transaction that is not final yet is told to the peers again after this long."""

VARIANTS_MAX: Final = 64
"""A repeated transaction takes turns among so many byte strings."""

OWN: Final = Source(b"")


class NotFinal(LearningChainError):
    """The network has not taken a transaction in the time given; it may still do so."""

    def __init__(self, seconds: float) -> None:
        """Say how long was waited, and what to look at."""
        super().__init__(
            f"not final after {seconds:g} s: is more than two thirds of the bonded weight online? "
            "`lc-node status` shows peers and height"
        )


class OutcomeUnknown(LearningChainError):
    """This node went on from a snapshot: what became of a transaction in the blocks before that nobody has told it."""

    def __init__(self) -> None:
        """Say what to look at."""
        super().__init__(
            "it is not known whether this has become final: the node was away and goes on from a snapshot of the "
            "chain. Look at `lc-node wallet` and `lc-node jobs` before you try again"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Included:
    """A transaction that is final."""

    transaction: TransactionId
    height: Height
    time: Millis


class Gossip(Protocol):
    """Whoever tells the peers."""

    def broadcast_transaction(self, raw: bytes) -> int:
        """Send a transaction to every peer not known to have it."""
        ...


@dataclass(slots=True, kw_only=True, eq=False)
class _Errand:
    """One body on its way; whatever is signed for it bears one nonce until that is used up.

    Peers keep what they were told, even if it is dropped here: a second nonce would let a transfer be
    paid twice. Of one nonce, only one transaction can become final.
    """

    body: Body
    nonce: Nonce
    done: asyncio.Future[Included]
    is_awaited: bool
    """Whether somebody waits for it, for a while; a duty of the node itself, which the rules take once, does not."""
    pending: SignedTransaction | None = None
    """What was last put into our mempool."""
    names: dict[TransactionId, None] = field(default_factory=dict)
    """All that was signed for this body."""
    repeats: int = 0


class Sender:
    """Signs, submits, repeats, and signs anew what was dropped."""

    def __init__(
        self,
        *,
        signer: Signer,
        chain_id: ChainId,
        ledger: Ledger,
        gossip: Gossip,
        clock: Clock,
        on_work: Callable[[], None],
    ) -> None:
        """Send transactions of ``signer``'s account; ``on_work`` hears of each new one."""
        self._signer = signer
        self._chain_id = chain_id
        self._ledger = ledger
        self._gossip = gossip
        self._clock = clock
        self._on_work = on_work
        self.repeat_seconds = REPEAT_SECONDS
        self._nonce = Nonce(0)
        self.seconds: Final = Histogram()
        """How long transactions took to become final."""
        self._waiting: dict[TransactionId, asyncio.Future[Included]] = {}
        self._errands: set[_Errand] = set()
        self._heard = ledger.height
        """The height up to which we have heard of every block."""
        self._turn = asyncio.Semaphore(ledger.params.pending_per_account_max // 2)
        ledger.hear(self._on_finalized)

    async def send(self, body: Body, *, timeout_seconds: float | None = None) -> Included:
        """Return once a transaction with this body is final.

        Raises:
            TransactionRefused: a rule forbids it; the class says which.
            MalformedBytes: the body has a value that no transaction may have.
            NotFinal: the network did not take it within ``timeout_seconds``.
            OutcomeUnknown: it may have become final in a block that a snapshot has passed over; only with a timeout.
        """
        try:
            async with asyncio.timeout(timeout_seconds), self._turn:
                return await self._see_through(body, is_awaited=timeout_seconds is not None)
        except TimeoutError:
            raise NotFinal(timeout_seconds or 0) from None

    async def _see_through(self, body: Body, *, is_awaited: bool) -> Included:
        done = asyncio.get_running_loop().create_future()
        nonce = self._next_nonce()
        errand = _Errand(body=body, nonce=nonce, done=done, is_awaited=is_awaited)
        begun = self._clock.now()
        self._errands.add(errand)
        try:
            while not done.done():
                self._hear_up_to(self._ledger.height)
                if not done.done():
                    self._push(errand)
                await asyncio.wait({done}, timeout=self.repeat_seconds)
            included = errand.done.result()
            self.seconds.observe(max(0, self._clock.now() - begun) / 1000)
            return included
        finally:
            self._errands.discard(errand)
            for name in errand.names:
                del self._waiting[name]

    def _push(self, errand: _Errand) -> None:
        """Tell the peers again what waits in our mempool, or put it there (again)."""
        if errand.pending is not None and self._ledger.is_pending(errand.pending):
            errand.repeats += 1
            self._tell(errand, self._variant(errand.pending, errand.repeats))
            return
        if self._has_passed(errand.nonce):
            errand.nonce = self._next_nonce()
        signed = self._sign(self._draft(errand))
        TRANSACTION_DECODER.decode(encode(signed))
        try:
            self._ledger.admit(signed, self._clock.now(), OWN)
        except (TooManyPending, MempoolFull):
            return
        except AlreadyPending:
            # One of ours that a peer gave back, or one from before a restart: it goes first.
            return
        errand.pending = signed
        self._tell(errand, signed)
        self._on_work()

    def _tell(self, errand: _Errand, signed: SignedTransaction) -> None:
        name = transaction_id(signed.transaction)
        self._waiting[name] = errand.done
        errand.names[name] = None
        self._gossip.broadcast_transaction(encode(signed))

    def _variant(self, signed: SignedTransaction, number: int) -> SignedTransaction:
        """Return the same transaction in other bytes.

        A peer that refused it, because its chain was a block behind, has seen those bytes and does not
        look again.
        """
        transaction = signed.transaction
        until = Height(transaction.valid_until + number % VARIANTS_MAX)
        return self._sign(
            Transaction(
                chain_id=transaction.chain_id,
                sender=transaction.sender,
                nonce=transaction.nonce,
                valid_until=until,
                body=transaction.body,
            )
        )

    def _draft(self, errand: _Errand) -> Transaction:
        return Transaction(
            chain_id=self._chain_id,
            sender=self._signer.public_key,
            nonce=errand.nonce,
            valid_until=Height(self._ledger.height + VALID_BLOCKS),
            body=errand.body,
        )

    def _has_passed(self, nonce: Nonce) -> bool:
        """Return whether the final state has taken this nonce or a later one."""
        return self._ledger.state.account(self._signer.public_key).nonce >= nonce

    def _next_nonce(self) -> Nonce:
        account = self._ledger.state.account(self._signer.public_key)
        self._nonce = Nonce(max(self._nonce, account.nonce) + 1)
        return self._nonce

    def _sign(self, transaction: Transaction) -> SignedTransaction:
        signature = self._signer.sign(transaction_id(transaction))
        return SignedTransaction(transaction=transaction, signature=signature)

    def _hear_up_to(self, height: Height) -> None:
        """Note that the chain stands at a height: where blocks were passed over, nobody signs a second time for them."""
        if height > self._heard:
            for errand in self._errands:
                is_open = errand.is_awaited and errand.names and not errand.done.done()
                if is_open and self._has_passed(errand.nonce):
                    errand.done.set_exception(OutcomeUnknown())
        self._heard = max(self._heard, height)

    def _on_finalized(self, finalized: Finalized) -> None:
        header = finalized.block.header
        for signed in finalized.block.transactions if self._waiting else ():
            name = transaction_id(signed.transaction)
            future = self._waiting.get(name)
            if future is not None and not future.done():
                future.set_result(
                    Included(transaction=name, height=header.height, time=header.time)
                )
        self._hear_up_to(Height(header.height - 1))
        self._heard = header.height
