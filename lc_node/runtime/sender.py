"""Sends this node's transactions and sees them through: until final, or refused by name."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from msgspec.structs import replace

from lc_node.chain.codec import encode
from lc_node.chain.crypto import Signer
from lc_node.chain.errors import AlreadyPending, LearningChainError, MempoolFull, TooManyPending
from lc_node.chain.mempool import Source
from lc_node.chain.transactions import Body, SignedTransaction, Transaction, transaction_id
from lc_node.chain.types import ChainId, Height, Millis, Nonce, TransactionId
from lc_node.ports.clock import Clock
from lc_node.runtime.ledger import Finalized, Ledger

VALID_BLOCKS: Final = 1_000
"""A transaction that has not been included after so many blocks is signed anew."""

REPEAT_SECONDS: Final = 1.0
"""A transaction that is not final yet is told to the peers again after this long."""

OWN: Final = Source(b"")


class NotFinal(LearningChainError):
    """The network has not taken a transaction in the time given; it may still do so."""

    def __init__(self, seconds: float) -> None:
        """Say how long was waited, and what to look at."""
        super().__init__(
            f"not final after {seconds:g} s: is more than two thirds of the bonded weight online? "
            "`lc-node status` shows peers and height"
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


class Sender:
    """Signs, submits, repeats, and signs anew what was dropped, under fresh nonces."""

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
        self._nonce = Nonce(0)
        self._waiting: dict[TransactionId, asyncio.Future[Included]] = {}
        self._turn = asyncio.Semaphore(ledger.params.pending_per_account_max // 2)
        ledger.hear(self._on_finalized)

    async def send(self, body: Body, *, timeout_seconds: float | None = None) -> Included:
        """Return once a transaction with this body is final.

        Raises:
            TransactionRefused: a rule forbids it; the class says which.
            NotFinal: the network did not take it within ``timeout_seconds``.
        """
        try:
            async with asyncio.timeout(timeout_seconds), self._turn:
                while True:
                    included = await self._attempt(body)
                    if included is not None:
                        return included
        except TimeoutError:
            raise NotFinal(timeout_seconds or 0) from None

    async def _attempt(self, body: Body) -> Included | None:
        """Submit once; None if it was dropped and a new one may fare better."""
        signed = self._sign(self._draft(body))
        try:
            self._ledger.admit(signed, self._clock.now(), OWN)
        except (AlreadyPending, TooManyPending, MempoolFull):
            await asyncio.sleep(REPEAT_SECONDS)
            return None
        future: asyncio.Future[Included] = asyncio.get_running_loop().create_future()
        names: list[TransactionId] = []
        try:
            self._tell(signed, future, names)
            self._on_work()
            while not future.done():
                await asyncio.wait({future}, timeout=REPEAT_SECONDS)
                if future.done():
                    break
                if not self._ledger.is_pending(signed):
                    return None
                self._tell(self._variant(signed, len(names)), future, names)
            return future.result()
        finally:
            for name in names:
                del self._waiting[name]

    def _tell(
        self,
        signed: SignedTransaction,
        future: asyncio.Future[Included],
        names: list[TransactionId],
    ) -> None:
        name = transaction_id(signed.transaction)
        self._waiting[name] = future
        names.append(name)
        self._gossip.broadcast_transaction(encode(signed))

    def _variant(self, signed: SignedTransaction, number: int) -> SignedTransaction:
        """Return the same transaction in other bytes.

        A peer that refused it, because its chain was a block behind, has seen those bytes and does not
        look again. Of one nonce only one can become final.
        """
        until = Height(signed.transaction.valid_until + number)
        return self._sign(replace(signed.transaction, valid_until=until))

    def _draft(self, body: Body) -> Transaction:
        account = self._ledger.state.account(self._signer.public_key)
        self._nonce = Nonce(max(self._nonce, account.nonce) + 1)
        return Transaction(
            chain_id=self._chain_id,
            sender=self._signer.public_key,
            nonce=self._nonce,
            valid_until=Height(self._ledger.height + VALID_BLOCKS),
            body=body,
        )

    def _sign(self, transaction: Transaction) -> SignedTransaction:
        signature = self._signer.sign(transaction_id(transaction))
        return SignedTransaction(transaction=transaction, signature=signature)

    def _on_finalized(self, finalized: Finalized) -> None:
        if not self._waiting:
            return
        header = finalized.block.header
        for signed in finalized.block.transactions:
            name = transaction_id(signed.transaction)
            future = self._waiting.get(name)
            if future is not None and not future.done():
                future.set_result(
                    Included(transaction=name, height=header.height, time=header.time)
                )
