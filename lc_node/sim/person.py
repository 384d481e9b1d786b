"""One of the people on the real ledger."""

from dataclasses import dataclass, field
from typing import Final

from lc_node.chain.crypto import Signer
from lc_node.chain.transactions import Body, Transaction
from lc_node.chain.types import Link, Millis, PublicKey

_BEGINNING: Final = Millis(0)


@dataclass(slots=True)
class Person:
    """An account, what it has under way, and what it still has to say."""

    signer: Signer
    is_honest: bool
    is_member: bool
    sent: Transaction | None = None
    """What is under way: a person sends one thing at a time, so that nonces stay in order."""
    gives_up_at: Millis = _BEGINNING
    queue: list[Body] = field(default_factory=list)
    link: tuple[Link, ...] = ()
    """The beacon chain of a follower's node, with which it can join the validators."""

    @property
    def key(self) -> PublicKey:
        """The account."""
        return self.signer.public_key
