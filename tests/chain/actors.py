"""People of the tests, and the small chains they live on."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lc_node.chain.beacon import LinkChain
from lc_node.chain.context import Context
from lc_node.chain.crypto import sha256
from lc_node.chain.genesis import Genesis, GenesisAccount
from lc_node.chain.params import CREDIT, DEVNET, ProtocolParams
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    Body,
    Resources,
    SignedTransaction,
    Transaction,
    transaction_id,
)
from lc_node.chain.types import (
    ByteCount,
    ChainId,
    Height,
    Link,
    MicroCredits,
    Millis,
    Nonce,
    PublicKey,
    Signature,
    TransactionId,
)

START = Millis(1_700_000_000_000)
OFFER = Resources(
    millicpus=4_000, memory_bytes=ByteCount(8 << 30), disk_bytes=ByteCount(8 << 30), gpus=0
)


class Person:
    """A key pair made from a name, with a short beacon chain."""

    def __init__(self, name: str) -> None:
        """Derive everything from the name."""
        self._private = Ed25519PrivateKey.from_private_bytes(sha256(name.encode()))
        self.name = name
        self.public_key = PublicKey(self._private.public_key().public_bytes_raw())
        self.links = LinkChain(sha256(b"links of " + name.encode()), links=64)

    def sign(self, message: bytes) -> Signature:
        return Signature(self._private.sign(message))

    def reveal(self, state: State) -> Link:
        """Return the link that this person shows in a block on a state."""
        (shown,) = state.account(self.public_key).link
        link = self.links.below(shown)
        assert link is not None
        return link


@cache
def person(name: str) -> Person:
    return Person(name)


ANNA, BERT, CLEO, DORA = (person(name) for name in ("anna", "bert", "cleo", "dora"))


def account_of(
    who: Person, *, balance: int = 1_000 * CREDIT, bonded: int = 100 * CREDIT
) -> GenesisAccount:
    return GenesisAccount(
        key=who.public_key,
        balance=MicroCredits(balance),
        bonded=MicroCredits(bonded),
        resources=(OFFER,),
        link=(who.links.commitment,),
    )


def genesis_of(
    *accounts: GenesisAccount,
    members: tuple[Person, ...] = (ANNA,),
    params: ProtocolParams = DEVNET,
) -> Genesis:
    return Genesis(
        graph="test",
        params=params,
        time=START,
        accounts=tuple(sorted(accounts, key=lambda account: account.key)),
        members=tuple(sorted(member.public_key for member in members)),
    )


def genesis() -> Genesis:
    """Return a chain of four people, each with 1,000 credits and a bond of 100; Anna validates."""
    return genesis_of(*(account_of(who) for who in (ANNA, BERT, CLEO, DORA)))


def signed(
    who: Person, body: Body, *, chain_id: ChainId, nonce: int = 1, valid_until: int = 100
) -> SignedTransaction:
    transaction = Transaction(
        chain_id=chain_id,
        sender=who.public_key,
        nonce=Nonce(nonce),
        valid_until=Height(valid_until),
        body=body,
    )
    return SignedTransaction(
        transaction=transaction, signature=who.sign(transaction_id(transaction))
    )


def context_of(state: State, sender: Person, *, name: bytes = b"t") -> Context:
    """Return the context in which a rule runs on a state for a sender."""
    meta = state.meta
    return Context(
        params=DEVNET,
        chain_id=meta.chain_id,
        height=meta.height,
        epoch=meta.epoch,
        time=meta.time,
        beacon=meta.beacon,
        events=[],
        sender=sender.public_key,
        transaction_id=TransactionId(sha256(name)),
    )
