"""A ledger as simple as can be: transactions may not repeat, and the state root chains the blocks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lc_node.chain.blocks import Block, Header, block_id
from lc_node.chain.codec import encode
from lc_node.chain.crypto import Signer, digest, sha256
from lc_node.chain.transactions import SignedTransaction, Transaction, Transfer, transaction_id
from lc_node.chain.types import (
    ZERO_DIGEST,
    BlockId,
    ChainId,
    Digest,
    Epoch,
    Height,
    Link,
    MicroCredits,
    Millis,
    Nonce,
    PublicKey,
    Signature,
    TransactionId,
    View,
    Weight,
)
from lc_node.chain.votes import Certificate, Vote
from lc_node.consensus.application import Era
from lc_node.consensus.messages import EpochProof
from lc_node.sim.disk import BrokenInvariant
from lc_node.sim.economy import Shelf
from lc_node.sim.keys import SimSigner, verify
from lc_node.sim.plan import ENDLESS, NEVER, Drawn, Plan

TRANSACTIONS_MAX = 16
"""Transactions in a block of this ledger."""


def genesis(chain_id: ChainId) -> Header:
    """Return the header that the chain starts from."""
    return Header(
        chain_id=chain_id,
        epoch=Epoch(0),
        view=View(0),
        proposer=PublicKey(ZERO_DIGEST),
        height=Height(0),
        parent_id=BlockId(ZERO_DIGEST),
        time=Millis(0),
        reveal=Link(ZERO_DIGEST),
        transactions_root=_root(()),
        state_root=ZERO_DIGEST,
        set_hash=ZERO_DIGEST,
        next_set_hash=(),
    )


def payment(chain_id: ChainId, number: int) -> SignedTransaction:
    """Return the transaction of a number; nobody checks its signature here."""
    return SignedTransaction(
        transaction=Transaction(
            chain_id=chain_id,
            sender=PublicKey(ZERO_DIGEST),
            nonce=Nonce(number),
            valid_until=Height(2**31),
            body=Transfer(to=PublicKey(ZERO_DIGEST), amount=MicroCredits(1), memo=b""),
        ),
        signature=Signature(bytes(64)),
    )


@dataclass(frozen=True, slots=True)
class _Executed:
    header: Header
    transactions: frozenset[TransactionId]


class SimLedger:
    """An application of consensus whose finalised part is on a simulated disk."""

    def __init__(
        self, genesis_header: Header, disk: Shelf, proposer: PublicKey, plan: Plan = ENDLESS
    ) -> None:
        """Start from what the disk holds."""
        self._genesis = genesis_header
        self._plan = plan
        self._disk = disk
        self._proposer = proposer
        self._waiting: dict[TransactionId, tuple[Millis, SignedTransaction]] = {}
        self._executed = {block_id(genesis_header): _Executed(genesis_header, frozenset())}
        self._spent: set[TransactionId] = set()
        for height in range(1, disk.height + 1):
            block = disk.block(Height(height))
            self.execute(block)
            self.delivered((block,))

    def submit(self, transaction: SignedTransaction, now: Millis) -> None:
        """Put a transaction into the mempool."""
        identity = transaction_id(transaction.transaction)
        if identity not in self._spent:
            self._waiting.setdefault(identity, (now, transaction))

    def delivered(self, blocks: Sequence[Block]) -> None:
        """Remember what is final, and take it out of the mempool."""
        for block in blocks:
            for signed in block.transactions:
                identity = transaction_id(signed.transaction)
                self._spent.add(identity)
                self._waiting.pop(identity, None)

    def work_since(self, parent: BlockId, now: Millis) -> Millis | None:
        """Return since when the oldest includable transaction waits; nothing falls due later."""
        del now
        return min((at for at, _ in self._includable(parent)), default=None)

    def build(self, parent: BlockId, view: View, time: Millis) -> Block | None:
        """Return a block of what waits, oldest first."""
        chosen = sorted(self._includable(parent), key=lambda item: item[0])[:TRANSACTIONS_MAX]
        return self.variant(parent, view, time, tuple(signed for _, signed in chosen))

    def rival(self, parent: BlockId, view: View, time: Millis, mark: Digest) -> Block | None:
        """Return, executed, an empty block; ``mark`` tells it apart."""
        return self.variant(parent, view, time, (), mark)

    def variant(
        self,
        parent: BlockId,
        view: View,
        time: Millis,
        transactions: tuple[SignedTransaction, ...],
        reveal: Digest = ZERO_DIGEST,
    ) -> Block:
        """Return, executed, the block with these transactions; ``reveal`` tells twins apart."""
        before = self._executed[parent].header
        root = _root(transactions)
        epoch, height = self._plan.epoch_after(before), Height(before.height + 1)
        header = Header(
            chain_id=before.chain_id,
            epoch=epoch,
            view=view,
            proposer=self._proposer,
            height=height,
            parent_id=parent,
            time=time,
            reveal=Link(reveal),
            transactions_root=root,
            state_root=_state_root(before, root),
            set_hash=before.set_hash,
            next_set_hash=self._plan.next_set_hash(height, epoch),
        )
        block = Block(header=header, transactions=transactions)
        self.execute(block)
        return block

    def has_executed(self, identity: BlockId) -> bool:
        """Return whether a block can be built upon here."""
        return identity in self._executed

    def is_intact(self, block: Block) -> bool:
        """Return whether the header commits to these transactions."""
        return block.header.transactions_root == _root(block.transactions)

    def execute(self, block: Block) -> bool:
        """Execute a block whose transactions must be new on its branch."""
        header, parent_id = block.header, block.header.parent_id
        parent = self._executed[parent_id]
        identities = frozenset(transaction_id(signed.transaction) for signed in block.transactions)
        is_valid = (
            header.state_root == _state_root(parent.header, header.transactions_root)
            and header.next_set_hash == self._plan.next_set_hash(header.height, header.epoch)
            and len(identities) == len(block.transactions)
            and not identities & self._spent
            and not any(identities & known for known in self._branch(parent_id))
        )
        if is_valid:
            self._executed[block_id(header)] = _Executed(header, identities)
        return is_valid

    def finalized_block(self, height: Height) -> Block | None:
        """Return the block at a height from the disk."""
        return self._disk.block(height) if 0 < height <= self._disk.height else None

    def finalization(self, height: Height) -> Certificate | None:
        """Return the certificate at a height from the disk."""
        return self._disk.finalizations.get(height)

    def era(self, block: BlockId) -> Era:
        """Return the epoch of the blocks on top of an executed one."""
        header, heights = self._executed[block].header, self._plan.epoch_heights
        epoch = self._plan.epoch_after(header)
        first = Height(epoch * heights)
        before = self._disk.block(first).header if 0 < first < header.height else self._genesis
        return Era(
            epoch=epoch,
            members=self._plan.members(epoch),
            root=header if epoch > header.epoch else before,
            epoch_heights=heights,
        )

    def epoch_proof(self, epoch: Epoch) -> EpochProof | None:
        """Return how a past epoch ended."""
        height = self._plan.last_height(epoch)
        if height is None or height > self._disk.height:
            return None
        return EpochProof(
            header=self._disk.block(height).header,
            certificate=self._disk.finalizations[height],
            next_set=self._plan.record(Epoch(epoch + 1)),
        )

    def _includable(self, parent: BlockId) -> list[tuple[Millis, SignedTransaction]]:
        known = list(self._branch(parent))
        return [
            waiting
            for identity, waiting in self._waiting.items()
            if not any(identity in block for block in known)
        ]

    def _branch(self, identity: BlockId) -> list[frozenset[TransactionId]]:
        """Return the transactions of the unfinalised blocks up to this one."""
        branch = []
        while (executed := self._executed[identity]).header.height > self._disk.height:
            branch.append(executed.transactions)
            identity = executed.header.parent_id
        return branch


class ToyEconomy:
    """Somebody pays, again and again; whose payment it is does not matter."""

    is_satisfied: Final = True

    def __init__(
        self,
        seed: int,
        weights: Sequence[Weight],
        honest: int,
        followers: int,
        drawn: Drawn = NEVER,
    ) -> None:
        """Begin a chain, whose validators change as ``drawn`` says."""
        self._chain_id = ChainId(sha256(b"simulated chain %d" % seed))
        count = len(weights) + followers
        self.signers: Sequence[Signer] = [
            SimSigner.named(f"{seed}/{number}") for number in range(count)
        ]
        keys = [signer.public_key for signer in self.signers]
        self._plan = drawn.plan(seed, keys, weights, honest)
        self._first = dict(zip(keys, weights, strict=False))
        self.root = genesis(self._chain_id)
        self._last = self.root
        self._payments = 0
        self._waiting: dict[TransactionId, SignedTransaction] = {}
        self._spent: set[TransactionId] = set()

    def verify(self, public_key: PublicKey, message: bytes, signature: Signature) -> bool:
        """Return whether this is what the signer of the key would have made."""
        return verify(public_key, message, signature)

    def members(self, epoch: Epoch) -> Mapping[PublicKey, Weight]:
        """Return who votes in an epoch."""
        return self._plan.members(epoch) if self._plan.epoch_heights else self._first

    def ledger(self, number: int, shelf: Shelf) -> SimLedger:
        """Return the ledger of a node."""
        return SimLedger(self.root, shelf, self.signers[number].public_key, self._plan)

    def submissions(self, now: Millis) -> Sequence[SignedTransaction]:
        """Return one more payment."""
        del now
        self._payments += 1
        made = payment(self._chain_id, self._payments)
        self._waiting[transaction_id(made.transaction)] = made
        return (made,)

    def waiting(self) -> Sequence[SignedTransaction]:
        """Return all payments that are not final."""
        return tuple(self._waiting.values())

    def accuse(self, number: int, first: Vote, second: Vote) -> Sequence[SignedTransaction]:
        """Return nothing: this ledger knows no evidence."""
        del number, first, second
        return ()

    def finalized(self, block: Block, now: Millis) -> None:
        """Judge a block by what was final before it.

        Raises:
            BrokenInvariant: it breaks a rule of this ledger.
        """
        del now
        header, before = block.header, self._last
        identities = {transaction_id(signed.transaction) for signed in block.transactions}
        is_valid = (
            header.parent_id == block_id(before)
            and header.height == before.height + 1
            and header.epoch == self._plan.epoch_after(before)
            and (header.epoch > before.epoch or header.view > before.view)
            and header.proposer in self.members(header.epoch)
            and header.next_set_hash == self._plan.next_set_hash(header.height, header.epoch)
            and before.time < header.time
            and header.transactions_root == _root(block.transactions)
            and header.state_root == _state_root(before, header.transactions_root)
            and len(identities) == len(block.transactions)
            and not identities & self._spent
        )
        if not is_valid:
            raise BrokenInvariant(f"the final block at height {header.height} is not valid")
        self._last = header
        self._spent |= identities
        for identity in identities:
            self._waiting.pop(identity, None)


def _root(transactions: tuple[SignedTransaction, ...]) -> Digest:
    return digest("lc/sim/transactions", *(encode(signed) for signed in transactions))


def _state_root(parent: Header, transactions_root: Digest) -> Digest:
    return digest("lc/sim/state", parent.state_root, transactions_root)
