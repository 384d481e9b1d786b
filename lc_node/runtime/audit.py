"""Replays a stored chain from genesis, checks all that was agreed, and says where every credit went."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from lc_node.adapters.sqlite_chain_reader import Row
from lc_node.chain.audit import Books, validate_supply
from lc_node.chain.blocks import BLOCK_DECODER, Block, Header, block_id
from lc_node.chain.codec import encode
from lc_node.chain.crypto import verify
from lc_node.chain.errors import LearningChainError
from lc_node.chain.genesis import Genesis, genesis_header, initial_state
from lc_node.chain.state import State
from lc_node.chain.transition import Applied, apply_block
from lc_node.chain.types import Height
from lc_node.consensus.messages import CERTIFICATE_DECODER
from lc_node.consensus.proofs import is_final
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.runtime.audit_report import Audit, Counts, report


class AuditFailed(LearningChainError):
    """What is stored is not a chain that the rules allow."""

    def __init__(self, height: Height, why: str) -> None:
        """Name the first block that is wrong, and what is wrong with it."""
        super().__init__(
            f"block {height} does not hold: {why}. Up to the one before everything does. Keep the files "
            "of this home to show others, and audit the home of another node: if that one holds, this "
            "one is damaged; if it fails as well, the network has broken its rules"
        )
        self.height = height
        self.why = why


class ChainPruned(LearningChainError):
    """Blocks are not kept here, so that nothing can be replayed."""

    def __init__(self, height: Height) -> None:
        """Name the first block that is lacking."""
        super().__init__(
            f"block {height} is not kept in this home, so the chain cannot be replayed from genesis; "
            "audit the home of a node that keeps all blocks"
        )
        self.height = height


class StoredChain(Protocol):
    """What an audit reads (``adapters.sqlite_chain_reader``)."""

    def tip_with_entries(self) -> tuple[Height, Sequence[tuple[bytes, bytes]]] | None:
        """Return the last block's height and the state after it; None if there is no chain."""
        ...

    def block_at(self, height: Height) -> Row | None:
        """Return the block at a height, None if it is not kept."""
        ...

    def receipts_at(self, height: Height) -> Sequence[bytes]:
        """Return a block's receipts in order; none if they are not kept."""
        ...


def audit(
    genesis: Genesis, stored: StoredChain, on_block: Callable[[Height, Height], None]
) -> Audit:
    """Replay a chain; ``on_block`` hears of each height that was checked, and of the last one.

    Raises:
        AuditFailed: a block, or the state at the end, is not what the rules make of genesis.
        ChainPruned: blocks are lacking.
    """
    found = stored.tip_with_entries()
    if found is None:
        raise ChainPruned(Height(0))
    tip, entries = found
    replay = _Replay(genesis, stored)
    replay.begin()
    for height in range(1, tip + 1):
        replay.step(Height(height))
        on_block(Height(height), tip)
    replay.end(entries)
    return report(genesis, replay.state, replay.books, replay.counts)


class _Replay:
    """The chain as far as it was replayed."""

    def __init__(self, genesis: Genesis, stored: StoredChain) -> None:
        self.state: State = initial_state(genesis)
        self.books: Final = Books(self.state)
        self.counts = Counts()
        self._params = genesis.params
        self._stored = stored
        self._root = genesis_header(genesis)
        self._tip = block_id(self._root)
        self._setting = self._setting_at(self._root)
        self._is_certified = True

    def begin(self) -> None:
        """Check that the stored chain begins with this genesis."""
        with _named(Height(0)):
            row = self._stored.block_at(Height(0))
            if row is not None and row.block_id != self._tip:
                raise _Wrong("it is the genesis of another chain")

    def step(self, height: Height) -> None:
        """Replay a block."""
        row = self._stored.block_at(height)
        if row is None:
            raise ChainPruned(height)
        with _named(height):
            block = self._validated(row)
            applied = apply_block(self.state, block, self._params)
            self._validate_receipts(height, applied)
            self._validate_certificate(row, block.header)
            self._book(block, applied)
        applied.state.flatten()
        self.state, self._tip = applied.state, row.block_id
        if block.header.next_set_hash:
            self._setting = self._setting_at(block.header)
            self.counts.epochs += 1

    def end(self, entries: Sequence[tuple[bytes, bytes]]) -> None:
        """Check that the last block is final, and that the stored state is what all blocks made."""
        with _named(self.state.meta.height):
            if not self._is_certified:
                raise _Wrong("no certificate makes it final")
            self.books.validate_whole(self.state)
            if dict(entries) != dict(self.state.commitment().entries()):
                raise _Wrong("the stored state is not the one after it")

    def _validated(self, row: Row) -> Block:
        """Return a stored block that is the child of the one before."""
        block = BLOCK_DECODER.decode(row.block)
        if block_id(block.header) != row.block_id:
            raise _Wrong("it is stored under another block's id")
        if block.header.parent_id != self._tip:
            raise _Wrong("its parent is another block than the one before")
        return block

    def _validate_receipts(self, height: Height, applied: Applied) -> None:
        told = self._stored.receipts_at(height)
        if told and list(told) != [encode(event) for event in applied.events]:
            raise _Wrong("the stored receipts are not what follows from it")

    def _validate_certificate(self, row: Row, header: Header) -> None:
        """Check the block's certificate; one without hangs on a later one's, in the same epoch."""
        self._is_certified = bool(row.certificate)
        if not row.certificate:
            if header.next_set_hash:
                raise _Wrong("it ends an epoch, and no certificate makes it final")
            return
        certificate = CERTIFICATE_DECODER.decode(row.certificate)
        if not is_final(header, certificate, self._setting):
            raise _Wrong("its certificate is not by the validators of its epoch")
        self.counts.certificates += 1
        self.counts.votes += len(certificate.signatures)

    def _book(self, block: Block, applied: Applied) -> None:
        accounts, jobs = applied.state.own_records()
        validate_supply(self.state, applied.state)
        self.books.post((signed.transaction for signed in block.transactions), applied.events)
        self.books.validate(applied.state, accounts, jobs)
        self.counts.blocks += 1
        self.counts.transactions += len(block.transactions)

    def _setting_at(self, root: Header) -> Setting:
        """Return the epoch that begins after a block."""
        validators = self.state.validators
        return Setting(
            chain_id=root.chain_id,
            epoch=validators.epoch,
            validators=ValidatorSet({member.key: member.weight for member in validators.members}),
            root=root,
            verifier=verify,
            epoch_heights=self._params.epoch_heights,
        )


class _Wrong(LearningChainError):
    """Something about a block that is not a rule of the chain's own."""


@contextmanager
def _named(height: Height) -> Iterator[None]:
    """Say of which block an error speaks."""
    try:
        yield
    except LearningChainError as error:
        raise AuditFailed(height, str(error)) from error
