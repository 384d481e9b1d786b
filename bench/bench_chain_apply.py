"""chain.apply: signed transfers per CPU second through a whole block, against bare verification."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bench.harness import Measured, Target, measure_pairs
from lc_node.adapters.keystore import FileKeystore
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import BLOCK_DECODER, block_id
from lc_node.chain.builder import Slot, build_block
from lc_node.chain.codec import encode
from lc_node.chain.crypto import SIGNATURE_BYTES, Signer, sha256
from lc_node.chain.genesis import Genesis, GenesisAccount, chain_id, genesis_id, initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.state import State
from lc_node.chain.transactions import (
    SignedTransaction,
    Transaction,
    Transfer,
    transaction_id,
)
from lc_node.chain.types import (
    ChainId,
    Epoch,
    Height,
    Link,
    MicroCredits,
    Millis,
    Nonce,
    PublicKey,
    Signature,
    View,
)
from lc_node.chain.votes import NO_SUBJECT, Certificate, VoteKind
from lc_node.runtime.ledger import Ledger

ACCOUNTS: Final = 4_000
BLOCKS: Final = 5
PAIRS: Final = 7
TARGET: Final = Target(name="chain.apply", unit="transfers/CPU-s", limit=0.8, at_least=True)

_START: Final = Millis(1_700_000_000_000)
_BLOCK_MS: Final = 1_000
_LINKS: Final = 64
_TRANSFERS: Final = DEVNET.block_transactions_max


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A genesis document, and full blocks on it as they come from the wire."""

    genesis: Genesis
    proposer: Signer
    links: LinkChain
    blocks: tuple[bytes, ...]
    transactions: tuple[SignedTransaction, ...]

    @property
    def transaction_bytes(self) -> list[bytes]:
        """The transactions as they come from peers."""
        return [encode(signed) for signed in self.transactions]


def run() -> list[Measured]:
    """Measure."""
    chain = make_chain()
    claims = [
        (signed.transaction.sender, transaction_id(signed.transaction), signed.signature)
        for signed in chain.transactions
    ]
    return [
        measure_pairs(TARGET, lambda: apply_all(chain), lambda: verify_all(claims), pairs=PAIRS)
    ]


def apply_all(chain: Chain) -> float:
    """Return transfers per CPU second of one thread that follows the chain as a node does."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteChainStore.open(Path(folder) / "chain.db", chain_id(chain.genesis))
        ledger = Ledger(
            genesis=chain.genesis,
            store=store,
            me=chain.proposer.public_key,
            links=chain.links,
        )
        since = time.thread_time()
        for data in chain.blocks:
            block = BLOCK_DECODER.decode(data)
            assert ledger.execute(block), "the builder made valid blocks"
            ledger.deliver([block], _certificate(block.header.view))
        spent = time.thread_time() - since
        assert ledger.height == len(chain.blocks)
        store.close()
    return len(chain.transactions) / spent


def verify_all(claims: Sequence[tuple[bytes, bytes, bytes]]) -> float:
    """Return verifications per CPU second of one thread, from keys, messages and signatures."""
    since = time.thread_time()
    for key, message, signature in claims:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    return len(claims) / (time.thread_time() - since)


def make_chain() -> Chain:
    """Return full blocks of transfers between many accounts, each of which sends once a block."""
    people: list[Signer] = [
        FileKeystore(sha256(b"account %d" % number)) for number in range(ACCOUNTS)
    ]
    links = LinkChain(sha256(b"links"), links=_LINKS)
    genesis = _genesis(people, links)
    state, parent = initial_state(genesis), genesis_id(genesis)
    blocks: list[bytes] = []
    transactions: list[SignedTransaction] = []
    for height in range(1, BLOCKS + 1):
        mempool = _filled(state, people, Nonce(height))
        slot = Slot(
            view=View(height),
            parent_id=parent,
            proposer=people[0].public_key,
            time=Millis(_START + height * _BLOCK_MS),
            reveal=_reveal(state, people[0], links),
        )
        block, applied = build_block(state, mempool.candidates(), slot, DEVNET)
        assert len(block.transactions) == _TRANSFERS, "the block is full"
        state, parent = applied.state, block_id(block.header)
        blocks.append(encode(block))
        transactions += block.transactions
    return Chain(
        genesis=genesis,
        proposer=people[0],
        links=links,
        blocks=tuple(blocks),
        transactions=tuple(transactions),
    )


def signed_transfer(
    sender: Signer, to: PublicKey, nonce: Nonce, name: ChainId
) -> SignedTransaction:
    """Return a transfer of a few micro-credits."""
    transaction = Transaction(
        chain_id=name,
        sender=sender.public_key,
        nonce=nonce,
        valid_until=Height(1_000),
        body=Transfer(to=to, amount=MicroCredits(1 + nonce), memo=b""),
    )
    signature = sender.sign(transaction_id(transaction))
    return SignedTransaction(transaction=transaction, signature=signature)


def _genesis(people: Sequence[Signer], links: LinkChain) -> Genesis:
    proposer = people[0].public_key
    accounts = (
        GenesisAccount(
            key=person.public_key,
            balance=MicroCredits(1_000 * CREDIT),
            bonded=MicroCredits(100 * CREDIT if person.public_key == proposer else 0),
            resources=(),
            link=(links.commitment,) if person.public_key == proposer else (),
        )
        for person in people
    )
    return Genesis(
        graph="bench",
        params=DEVNET,
        time=_START,
        accounts=tuple(sorted(accounts, key=lambda account: account.key)),
        members=(proposer,),
    )


def _filled(state: State, people: Sequence[Signer], nonce: Nonce) -> Mempool:
    """Return a mempool with a block's worth of transfers, their senders spread over all accounts."""
    mempool = Mempool(DEVNET)
    step = len(people) // _TRANSFERS
    for number in range(_TRANSFERS):
        sender = people[number * step]
        recipient = people[(number * step + nonce) % len(people)]
        signed = signed_transfer(sender, recipient.public_key, nonce, state.meta.chain_id)
        mempool.add(signed, state, Millis(state.meta.time + _BLOCK_MS), Source(b""))
    return mempool


def _reveal(state: State, proposer: Signer, links: LinkChain) -> Link:
    (shown,) = state.account(proposer.public_key).link
    reveal = links.below(shown)
    assert reveal is not None, "the chain of links is longer than that of blocks"
    return reveal


def _certificate(view: View) -> Certificate:
    """Return a certificate to store; that it is one is checked by the consensus, before."""
    return Certificate(
        kind=VoteKind.FINALIZE,
        epoch=Epoch(0),
        view=view,
        subject=NO_SUBJECT,
        bitmap=b"\x01",
        signatures=(Signature(bytes(SIGNATURE_BYTES)),),
    )
