"""A ledger that goes on from a snapshot stands where one stands that executed every block."""

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.chain.blocks import block_id
from lc_node.chain.codec import encode
from lc_node.chain.genesis import Genesis
from lc_node.chain.types import Epoch, Height
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.snapshot import BrokenSnapshot, Snapshot
from tests.chain.actors import ANNA, BERT, genesis, signed
from tests.runtime.small_chain import balance, finality, finalize, ledger_at, payment

HEIGHTS = 3


def document() -> Genesis:
    whole = genesis()
    return replace(whole, params=replace(whole.params, epoch_heights=HEIGHTS))


def at(path: Path) -> Ledger:
    return ledger_at(path, document=document())


def pay(ledger: Ledger) -> None:
    """Make a block with a payment final."""
    nonce = ledger.state.account(BERT.public_key).nonce + 1
    chain = ledger.root.chain_id
    finalize(ledger, signed(BERT, payment(), chain_id=chain, nonce=nonce))


@pytest.fixture
def leader(tmp_path: Path) -> Ledger:
    """Return a ledger at height 7, in its third epoch."""
    ledger = at(tmp_path / "leader.db")
    for _ in range(7):
        pay(ledger)
    return ledger


def snapshot_of(ledger: Ledger) -> Snapshot:
    block, certificate = (
        ledger.finalized_block(ledger.height),
        ledger.finalization(ledger.height),
    )
    assert block is not None
    assert certificate is not None
    ends = ((Epoch(n), ledger.epoch_proof(Epoch(n))) for n in range(ledger.state.meta.epoch))
    return Snapshot.of(
        block,
        certificate,
        entries=ledger.state.commitment().entries(),
        proofs=[(epoch, encode(end)) for epoch, end in ends],
    )


def adopt(newcomer: Ledger, leader: Ledger) -> None:
    snapshot = snapshot_of(leader)
    newcomer.store_snapshot(snapshot)
    newcomer.go_on_from(snapshot)


def test_a_snapshot_puts_a_newcomer_where_the_leader_is(leader: Ledger, tmp_path: Path) -> None:
    newcomer = at(tmp_path / "newcomer.db")
    adopt(newcomer, leader)

    assert (newcomer.tip, newcomer.state.root()) == (leader.tip, leader.state.root())
    assert newcomer.era(block_id(newcomer.tip)) == leader.era(block_id(leader.tip))


def test_blocks_go_on_after_a_snapshot(leader: Ledger, tmp_path: Path) -> None:
    newcomer = at(tmp_path / "newcomer.db")
    adopt(newcomer, leader)
    for _ in range(4):
        pay(leader)
        block = leader.finalized_block(leader.height)
        assert block is not None
        newcomer.deliver([block], finality(block))

    assert newcomer.state.root() == leader.state.root()
    assert balance(newcomer, BERT) == balance(leader, BERT)


def test_a_restart_after_a_snapshot_stands_on_it(leader: Ledger, tmp_path: Path) -> None:
    adopt(at(tmp_path / "newcomer.db"), leader)
    again = at(tmp_path / "newcomer.db")

    assert (again.tip, again.state.root()) == (leader.tip, leader.state.root())
    assert again.era(block_id(again.tip)) == leader.era(block_id(leader.tip))


def test_who_began_with_a_snapshot_leads_others_over_the_epochs(
    leader: Ledger, tmp_path: Path
) -> None:
    newcomer = at(tmp_path / "newcomer.db")
    adopt(newcomer, leader)

    told = [newcomer.epoch_proof(Epoch(number)) for number in range(3)]
    assert told == [leader.epoch_proof(Epoch(number)) for number in range(3)]
    assert told[2] is None


def test_blocks_before_a_snapshot_are_not_here(leader: Ledger, tmp_path: Path) -> None:
    newcomer = at(tmp_path / "newcomer.db")
    adopt(newcomer, leader)

    assert newcomer.finalized_block(Height(6)) is None
    assert newcomer.finalized_block(Height(7)) == leader.finalized_block(Height(7))


def test_entries_that_are_not_the_block_s_state_are_refused(leader: Ledger) -> None:
    right = snapshot_of(leader)
    entries = dict(right.state.commitment().entries())
    account = leader.state.account(BERT.public_key)
    entries[b"a" + ANNA.public_key] = encode(account)

    with pytest.raises(BrokenSnapshot, match=r"snapshot\.db"):
        Snapshot.of(right.block, right.certificate, entries=entries.items(), proofs=())


def test_ends_of_epochs_are_gathered_from_an_older_version_s_store(
    leader: Ledger, tmp_path: Path
) -> None:
    path = tmp_path / "leader.db"
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM epochs")
    again = at(path)

    ends = [again.epoch_proof(Epoch(number)) for number in range(2)]
    assert [end.header.height for end in ends if end is not None] == [3, 6]
    assert (
        again.era(block_id(again.tip)).root.height == leader.era(block_id(leader.tip)).root.height
    )
