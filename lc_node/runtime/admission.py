"""Whom a private graph lets in: judged at every greeting, from the chain and from what the peer shows."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.records import Account
from lc_node.chain.types import PublicKey
from lc_node.ports.clock import Clock
from lc_node.runtime.config import NetworkConfig
from lc_node.wire.invitations import Ticket, is_sound
from lc_node.wire.join_line import JoinLine


def trusted_of(config: NetworkConfig, line: JoinLine | None) -> frozenset[PublicKey]:
    """Return whom the owner has named: in config.toml, and by joining through them."""
    listed = [peer.resolved().public_key for peer in config.peers]
    return frozenset([*listed, *(one.key for one in line.bootstraps)] if line else listed)


class Admission:
    """Judges who greets (``wire.session.Admits``); on a public graph everybody may come in."""

    def __init__(
        self,
        genesis: Genesis,
        *,
        account: Callable[[PublicKey], Account],
        trusted: AbstractSet[PublicKey],
        clock: Clock,
    ) -> None:
        """Judge by ``account``, which reads the final state; ``trusted`` are named by our own owner."""
        self._is_private: Final = genesis.params.is_private
        self._chain_id: Final = chain_id(genesis)
        self._named: Final = frozenset(entry.key for entry in genesis.accounts)
        self._trusted: Final = frozenset(trusted)
        self._account = account
        self._clock = clock

    def admits(self, peer: PublicKey, tickets: tuple[Ticket, ...]) -> bool:
        """Return whether a node may be on our graph."""
        if not self._is_private or peer in self._trusted or self._has_standing(peer):
            return True
        return any(self._is_good(ticket, peer) for ticket in tickets)

    def _is_good(self, ticket: Ticket, peer: PublicKey) -> bool:
        # The standing first: it costs nothing to look up, and strangers' signatures cost time.
        return self._has_standing(ticket.invitation.inviter) and is_sound(
            ticket, self._chain_id, peer, self._clock.now()
        )

    def _has_standing(self, key: PublicKey) -> bool:
        """Return whether a key may take part, and invite others."""
        account = self._account(key)
        # A bond that is withdrawn votes and judges until the epoch ends, and can be lost for longer.
        has_bond = account.epoch_bond > 0 or account.slashable > 0
        return not account.is_banned and (key in self._named or has_bond)
