"""What the chain says about nodes: how far it is, who votes, who is banned."""

from lc_node.chain.types import Height, PublicKey
from lc_node.chain.validators import is_validator
from lc_node.runtime.ledger import Ledger


class Standing:
    """Implements ``runtime.discovery.Chain`` by the final state."""

    def __init__(self, ledger: Ledger) -> None:
        """Look at this ledger."""
        self._ledger = ledger

    @property
    def height(self) -> Height:
        """That of the last final block."""
        return self._ledger.height

    def validators(self) -> frozenset[PublicKey]:
        """Who votes in this epoch."""
        return frozenset(member.key for member in self._ledger.state.validators.members)

    def is_banned(self, key: PublicKey) -> bool:
        """Whether a key is banned for ever; a validator is heard until its epoch ends."""
        state = self._ledger.state
        return state.account(key).is_banned and not is_validator(state.validators, key)
