"""A chain that its validators have signed, made at once: real rules, a real store, no messages."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from lc_node.adapters.keystore import FileKeystore
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import Block, block_id
from lc_node.chain.crypto import Signer, sha256
from lc_node.chain.genesis import Genesis, GenesisAccount, chain_id
from lc_node.chain.mempool import Source
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.records import ValidatorSet
from lc_node.chain.transactions import (
    SignedTransaction,
    Transaction,
    Transfer,
    transaction_id,
)
from lc_node.chain.types import Height, MicroCredits, Millis, Nonce, PublicKey, View, Weight
from lc_node.chain.votes import Certificate, Subject, Vote, VoteKind, vote_message
from lc_node.consensus.certificates import assemble
from lc_node.consensus.validator_set import ValidatorSet as Voters
from lc_node.runtime.ledger import Ledger

VALIDATORS: Final = 4
_BOND: Final = 100 * CREDIT
_START: Final = Millis(1_700_000_000_000)
_LINKS_MAX: Final = 2**20


class SignedChain:
    """A ledger that grows as if its validators were running."""

    def __init__(
        self,
        path: Path,
        *,
        senders: int = 0,
        epoch_heights: int = 600,
        links: int = _LINKS_MAX,
        block_ms: int = 1_000,
    ) -> None:
        """Begin the chain at ``path``; ``senders`` accounts have credits to give away."""
        self._validators: list[Signer] = sorted(
            (FileKeystore(sha256(b"validator %d" % n)) for n in range(VALIDATORS)),
            key=lambda signer: signer.public_key,
        )
        self._senders = [FileKeystore(sha256(b"sender %d" % n)) for n in range(senders)]
        proposer = self._validators[0].public_key
        self._block_ms = block_ms
        self.links: Final = LinkChain(sha256(b"links"), links=links)
        self.genesis: Final = self._genesis(epoch_heights)
        self.store: Final = SqliteChainStore.open(path, chain_id(self.genesis))
        self.ledger: Final = Ledger(
            genesis=self.genesis, store=self.store, me=proposer, links=self.links
        )

    @property
    def validators(self) -> Sequence[Signer]:
        """Who votes, in key order."""
        return self._validators

    @property
    def weight(self) -> Weight:
        """What each of them weighs."""
        return Weight(_BOND)

    def grow(self, blocks: int, *, is_full: bool = False) -> None:
        """Make so many blocks final; in full ones each sender gives a credit to a new account."""
        for _ in range(blocks):
            for signed in self._gifts() if is_full else ():
                self.ledger.admit(signed, self._next_time, Source(signed.transaction.sender))
            finalize(self.ledger, self._validators[1:], self._next_time)

    @property
    def _next_time(self) -> Millis:
        return Millis(self.ledger.tip.time + self._block_ms)

    def _gifts(self) -> Iterator[SignedTransaction]:
        height = self.ledger.height
        for number, sender in enumerate(self._senders):
            to = PublicKey(sha256(b"gift %d %d" % (height, number)))
            transaction = Transaction(
                chain_id=self.ledger.root.chain_id,
                sender=sender.public_key,
                nonce=Nonce(height + 1),
                valid_until=Height(height + 10),
                body=Transfer(to=to, amount=MicroCredits(CREDIT), memo=b""),
            )
            yield SignedTransaction(
                transaction=transaction, signature=sender.sign(transaction_id(transaction))
            )

    def _genesis(self, epoch_heights: int) -> Genesis:
        members = {signer.public_key for signer in self._validators}
        proposer = self._validators[0].public_key
        other_links = LinkChain(sha256(b"other links"), links=2)
        accounts = (
            GenesisAccount(
                key=signer.public_key,
                balance=MicroCredits(100_000 * CREDIT),
                bonded=MicroCredits(_BOND if signer.public_key in members else 0),
                resources=(),
                link=((self.links if signer.public_key == proposer else other_links).commitment,),
            )
            for signer in (*self._validators, *self._senders)
        )
        return Genesis(
            graph="signed",
            params=replace(DEVNET, epoch_heights=epoch_heights),
            time=_START,
            accounts=tuple(sorted(accounts, key=lambda account: account.key)),
            members=tuple(sorted(members)),
        )


def finalize(ledger: Ledger, signers: Sequence[Signer], time: Millis) -> None:
    """Make a block of the ledger's own node final by these validators' signatures."""
    tip = ledger.tip
    is_first = tip.epoch != ledger.state.meta.epoch or not tip.height
    view = View(1 if is_first else tip.view + 1)
    block = ledger.build(block_id(tip), view, time)
    assert block is not None, "the chain of links is longer than that of blocks"
    ledger.deliver([block], _certificate(block, signers, ledger.state.validators))


def _certificate(block: Block, signers: Sequence[Signer], validators: ValidatorSet) -> Certificate:
    header = block.header
    subject = Subject(parent_view=View(header.view - 1), block_id=block_id(header))
    kind = VoteKind.FINALIZE
    message = vote_message(header.chain_id, kind, header.epoch, header.view, subject)
    votes = [
        Vote(
            kind=kind,
            epoch=header.epoch,
            view=header.view,
            subject=subject,
            signer=signer.public_key,
            signature=signer.sign(message),
        )
        for signer in signers
    ]
    return assemble(votes, Voters({m.key: m.weight for m in validators.members}))
