"""A steady load on a graph: people who pay one another, and remember what they were told is final."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from lc_node.api.calls import Transfer
from lc_node.api.client import ApiError, Client
from lc_node.api.schema import Address, MicroCredits, Receipt
from lc_node.runtime.devnet import Devnet

PAUSE_SECONDS: Final = 0.2
"""Between two payments of one node."""

SILENCE_SECONDS: Final = 10.0
"""A node that says nothing for so long is taken for dead, as it may have been killed; one asks it again."""

_PATIENCE_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A payment that a node has called final."""

    by: str
    sent_at: float
    final_at: float
    """Both on this process's monotonic clock."""
    receipt: Receipt

    @property
    def seconds(self) -> float:
        """How long the payer waited."""
        return self.final_at - self.sent_at


class Payments:
    """Some nodes' payments, each node's one after the other; a node that is down is tried again."""

    def __init__(self, devnet: Devnet, payers: Sequence[str]) -> None:
        """Let the ``payers`` pay the first node that is not one of them."""
        self._devnet = devnet
        self._payers = tuple(payers)
        to = next(place for place in devnet.places if place.role.name not in payers)
        self._to = Address(to.identity.address)
        self._over = threading.Event()
        self._paid: list[Paid] = []

    @property
    def paid(self) -> tuple[Paid, ...]:
        """What is final so far."""
        return tuple(self._paid)

    def seconds_since(self, moment: float) -> list[float]:
        """Return how long each payment took that was sent after a moment."""
        return [paid.seconds for paid in self.paid if paid.sent_at >= moment]

    def usual_seconds(self) -> float:
        """Return the median time that a payment takes."""
        return statistics.median(paid.seconds for paid in self.paid)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Pay for as long as the context lasts, and return once nobody pays any more."""
        threads = [
            threading.Thread(target=self._pay, args=(payer,), name=f"payer {payer}")
            for payer in self._payers
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def _pay(self, payer: str) -> None:
        while not self._over.is_set():
            try:
                with self._client(payer) as client:
                    self._pay_with(client, payer)
            except ApiError:
                # The node is down, or busier than it wishes to be: what it had said counts all the same.
                self._over.wait(PAUSE_SECONDS)

    def _pay_with(self, client: Client, payer: str) -> None:
        while not self._over.wait(PAUSE_SECONDS):
            sent_at = time.monotonic()
            call = Transfer(to=self._to, amount=MicroCredits(1))
            receipt = client.call(call, timeout_seconds=_PATIENCE_SECONDS)
            self._paid.append(
                Paid(by=payer, sent_at=sent_at, final_at=time.monotonic(), receipt=receipt)
            )

    def _client(self, payer: str) -> Client:
        return Client(self._devnet.place(payer).home.path, silence_seconds=SILENCE_SECONDS)
