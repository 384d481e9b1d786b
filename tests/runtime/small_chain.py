"""A chain of four people for the tests of the shell: real rules, a real store, blocks final at once."""

from pathlib import Path

from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import Block, block_id
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.mempool import Source
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Body, SignedTransaction, Transfer
from lc_node.chain.types import BlockId, Epoch, MicroCredits, Millis, PublicKey, View
from lc_node.chain.votes import Certificate, Subject, VoteKind
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.runtime.ledger import Ledger
from tests.chain.actors import ANNA, BERT, Person, genesis, signed

PEER = Source(b"a peer")


def ledger_at(
    path: Path,
    *,
    me: Person = ANNA,
    document: Genesis | None = None,
    links: LinkChain | None = None,
) -> Ledger:
    """Return a ledger over the store at ``path``, which is begun if need be."""
    return Ledger(
        genesis=document or genesis(),
        store=SqliteChainStore(path),
        me=me.public_key,
        links=links or me.links,
    )


def tip_id(ledger: Ledger) -> BlockId:
    return block_id(ledger.tip)


def transfer(
    who: Person = BERT, *, nonce: int = 1, credits_: int = 1, to: Person = ANNA
) -> SignedTransaction:
    return signed(who, payment(credits_, to), chain_id=chain_id(genesis()), nonce=nonce)


def payment(credits_: int = 1, to: Person = ANNA) -> Body:
    return Transfer(to=to.public_key, amount=MicroCredits(credits_ * CREDIT), memo=b"")


def build(
    ledger: Ledger, parent: BlockId | None = None, *, view: int = 1, after: int = 100
) -> Block:
    """Return a block by this ledger's own node; ``after`` is counted from the tip's time."""
    block = ledger.build(
        tip_id(ledger) if parent is None else parent, View(view), Millis(ledger.tip.time + after)
    )
    assert block is not None, "there is a link left"
    return block


def finality(block: Block) -> Certificate:
    """Return what says that a block is final; ledgers leave it to the agreement to check that."""
    subject = Subject(parent_view=View(0), block_id=block_id(block.header))
    return Certificate(
        kind=VoteKind.FINALIZE,
        epoch=Epoch(0),
        view=block.header.view,
        subject=subject,
        bitmap=b"\x01",
        signatures=(),
    )


def finalize(ledger: Ledger, *transactions: SignedTransaction) -> Block:
    """Make one block final, of these transactions and of what waits in the mempool."""
    for one in transactions:
        ledger.admit(one, Millis(ledger.tip.time + 1), PEER)
    block = build(ledger, view=ledger.height + 1)
    ledger.deliver([block], finality(block))
    return block


def follow(home: Ledger, leader: Ledger, *transactions: SignedTransaction) -> None:
    """Make one block final at a leader, then at home."""
    block = finalize(leader, *transactions)
    home.deliver([block], finality(block))


def balance(ledger: Ledger, who: Person) -> int:
    """Return a balance in whole credits."""
    return ledger.state.account(who.public_key).balance // CREDIT


class Members:
    """The validators of a ledger's epoch, none of whom is heard."""

    may_sign = True
    paused_for = ""

    def __init__(self, ledger: Ledger) -> None:
        members = ledger.state.validators.members
        self.validators = ValidatorSet({member.key: member.weight for member in members})

    def voted_at(self, key: PublicKey) -> Millis | None:
        return None
