"""What peers' messages mean to this node: votes, transactions, questions."""

import logging
from typing import Final

from lc_node.chain.addresses import encode_address
from lc_node.chain.codec import encode
from lc_node.chain.errors import BadSignature, MalformedBytes, TransactionRefused, WrongChain
from lc_node.chain.mempool import Source
from lc_node.chain.transactions import TRANSACTION_DECODER
from lc_node.chain.types import Digest, PublicKey
from lc_node.chain.validators import is_validator
from lc_node.ports.clock import Clock
from lc_node.runtime.agreement import Agreement
from lc_node.runtime.answers import Answers
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.network import Network
from lc_node.wire.score import Verdict

_NAME_CHARS: Final = 12

_log = logging.getLogger(__name__)


class PeerHandlers:
    """Hears peers for the network (``runtime.network.Handlers``)."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        agreement: Agreement,
        network: Network,
        clock: Clock,
        answers: Answers,
    ) -> None:
        """Hand on to these."""
        self._answers = answers
        self._ledger = ledger
        self._agreement = agreement
        self._network = network
        self._clock = clock

    def on_consensus(self, peer: PublicKey, payload: bytes) -> Verdict:
        """Give a message of the agreement to the core."""
        return self._agreement.hear(peer, payload)

    async def on_transaction(self, peer: PublicKey, raw: bytes) -> Verdict:
        """Offer a transaction to the mempool; only what no honest peer would pass on is rejected."""
        try:
            signed = TRANSACTION_DECODER.decode(raw)
            self._ledger.admit(signed, self._clock.now(), Source(peer))
        except (MalformedBytes, BadSignature, WrongChain):
            return Verdict.REJECT
        except TransactionRefused:
            # Valid where the peer stands, perhaps: its block may be a step ahead of ours.
            return Verdict.IGNORE
        self._agreement.work()
        return Verdict.ACCEPT

    async def on_request(self, peer: PublicKey, topic: int, payload: bytes) -> bytes | None:
        """Let whoever knows of the topic answer."""
        return await self._answers.answer(peer, topic, payload)

    def on_peer(self, peer: PublicKey, *, is_up: bool) -> None:
        """Take note of a peer; hang up on one that the chain has banned."""
        name = encode_address(peer)
        what, extra = "has come" if is_up else "has gone", {"peer": name, "is_up": is_up}
        _log.info("peer %s %s", name[:_NAME_CHARS], what, extra=extra)
        state = self._ledger.state
        if is_up and state.account(peer).is_banned and not is_validator(state.validators, peer):
            self._network.ban(peer)

    def pending(self) -> tuple[Digest, ...]:
        """Return the names of the transactions that wait for a block."""
        return self._ledger.mempool.names()

    def transaction(self, name: Digest) -> bytes | None:
        """Return a waiting transaction, None if it waits no more."""
        signed = self._ledger.mempool.get(name)
        return None if signed is None else encode(signed)
