"""What an audit has found, for people and for programs."""

from dataclasses import dataclass

import msgspec

from lc_node.chain.addresses import encode_address
from lc_node.chain.audit import Books, Cause, sorted_causes
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.state import State
from lc_node.chain.types import PublicKey


@dataclass(slots=True)
class Counts:
    """How much was checked."""

    blocks: int = 0
    transactions: int = 0
    epochs: int = 0
    certificates: int = 0
    votes: int = 0


class AuditedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account, and where its credits came from and went; the causes add up to what it has."""

    address: str
    balance: int
    bonded: int
    unbonding: int
    causes: dict[str, int]
    """In micro-credits; negative if they went away."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """A chain that holds; amounts are micro-credits."""

    chain_id: str
    graph: str
    height: int
    blocks: int
    transactions: int
    epochs: int
    """That have ended."""
    certificates: int
    votes: int
    """Signatures on them."""
    genesis: int
    issued: int
    owned: int
    """By all accounts together."""
    held: int
    """By jobs, for those whom they will pay."""
    burned: dict[str, int]
    """By the reason."""
    causes: dict[str, int]
    """Of all accounts together."""
    accounts: tuple[AuditedAccount, ...]


def report(genesis: Genesis, state: State, books: Books, counts: Counts) -> Audit:
    """Return what the books of a chain say at its end."""
    accounts = tuple(_account(state, books, key) for key in sorted(books.accounts))
    return Audit(
        chain_id=chain_id(genesis).hex(),
        graph=genesis.graph,
        height=state.meta.height,
        blocks=counts.blocks,
        transactions=counts.transactions,
        epochs=counts.epochs,
        certificates=counts.certificates,
        votes=counts.votes,
        genesis=state.meta.genesis_credits,
        issued=state.meta.issued,
        owned=sum(one.balance + one.bonded + one.unbonding for one in accounts),
        held=sum(books.held.values()),
        burned=dict(sorted(books.burned.items())),
        causes={cause.value: total for cause in Cause if (total := books.total(cause))},
        accounts=accounts,
    )


def _account(state: State, books: Books, key: PublicKey) -> AuditedAccount:
    account = state.account(key)
    return AuditedAccount(
        address=encode_address(key),
        balance=account.balance,
        bonded=account.bond,
        unbonding=sum(entry.amount for entry in account.unbonding),
        causes={cause.value: amount for cause, amount in sorted_causes(books.accounts[key])},
    )
