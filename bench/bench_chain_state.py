"""chain.state: the time of a block with 100 transfers among a million accounts, against a thousand."""

import time
from typing import Final

from bench.bench_chain_apply import signed_transfer
from bench.harness import Measured, Target, from_samples
from lc_node.adapters.keystore import FileKeystore
from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import Block
from lc_node.chain.builder import Slot, build_block
from lc_node.chain.codec import encode
from lc_node.chain.crypto import Signer, sha256
from lc_node.chain.genesis import Genesis, GenesisAccount, genesis_id, initial_state
from lc_node.chain.mempool import Mempool, Source
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.records import Account
from lc_node.chain.state import State
from lc_node.chain.transition import apply_block
from lc_node.chain.types import MicroCredits, Millis, Nonce, PublicKey, View

FEW: Final = 1_000
MANY: Final = 1_000_000
TRANSFERS: Final = 100
PAIRS: Final = 7
TARGET: Final = Target(name="chain.state", unit="ms a block", limit=1.5, at_least=False)

_START: Final = Millis(1_700_000_000_000)
_LINKS: Final = 64


def run() -> list[Measured]:
    """Measure."""
    few, many = Ledger(FEW), Ledger(MANY)
    few_ms: list[float] = []
    many_ms: list[float] = []
    for _ in range(PAIRS):
        few_ms.append(few.block_ms())
        many_ms.append(many.block_ms())
    return [from_samples(TARGET, many_ms, few_ms)]


class Ledger:
    """A state with many accounts, of which a hundred send; blocks follow each other on it."""

    def __init__(self, accounts: int) -> None:
        """Make the state; the senders are spread over all buckets."""
        self._people: list[Signer] = [
            FileKeystore(sha256(b"sender %d" % number)) for number in range(TRANSFERS)
        ]
        self._links = LinkChain(sha256(b"links"), links=_LINKS)
        genesis = _genesis(self._people, self._links)
        self._parent = genesis_id(genesis)
        self._state = _with_strangers(initial_state(genesis), accounts - TRANSFERS)
        self._height = 0

    def block_ms(self) -> float:
        """Return how long it takes to execute the next block and to make it final."""
        self._height += 1
        block = self._next_block()
        since = time.thread_time()
        applied = apply_block(self._state, block, DEVNET, Mempool(DEVNET))
        applied.state.root()
        applied.state.flatten()
        spent = time.thread_time() - since
        self._state = applied.state
        return 1_000 * spent

    def _next_block(self) -> Block:
        mempool = Mempool(DEVNET)
        now = Millis(_START + 1_000 * self._height)
        for number, sender in enumerate(self._people):
            to = PublicKey(sha256(b"stranger %d %d" % (number, self._height)))
            signed = signed_transfer(sender, to, Nonce(self._height), self._state.meta.chain_id)
            mempool.add(signed, self._state, now, Source(b""))
        proposer = self._people[0].public_key
        reveal = self._links.below(self._state.account(proposer).link[0])
        assert reveal is not None, "there are more links than blocks"
        slot = Slot(
            view=View(self._height),
            parent_id=self._parent,
            proposer=proposer,
            time=now,
            reveal=reveal,
        )
        block, _ = build_block(self._state, mempool.candidates(), slot, DEVNET)
        assert len(block.transactions) == TRANSFERS
        return block


def _with_strangers(state: State, count: int) -> State:
    """Return the state with as many further accounts, each with something in it."""
    entries = dict(state.commitment().entries())
    value = encode(Account(balance=MicroCredits(CREDIT)))
    for number in range(count):
        entries[b"a" + sha256(b"account %d" % number)] = value
    return State.load(entries.items())


def _genesis(people: list[Signer], links: LinkChain) -> Genesis:
    proposer = people[0].public_key
    accounts = [
        GenesisAccount(
            key=person.public_key,
            balance=MicroCredits(1_000 * CREDIT),
            bonded=MicroCredits(100 * CREDIT if person.public_key == proposer else 0),
            resources=(),
            link=(links.commitment,) if person.public_key == proposer else (),
        )
        for person in people
    ]
    accounts.sort(key=lambda account: account.key)
    return Genesis(
        graph="bench", params=DEVNET, time=_START, accounts=tuple(accounts), members=(proposer,)
    )
