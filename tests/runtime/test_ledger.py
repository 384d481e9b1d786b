"""The ledger in the shell: what it stores it knows again, what is final it tells once."""

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.chain.beacon import LinkChain
from lc_node.chain.blocks import block_id
from lc_node.chain.crypto import sha256
from lc_node.chain.errors import InsufficientBalance
from lc_node.chain.types import Digest, Height, Millis, View
from lc_node.runtime.ledger import Finalized, OtherChain
from tests.chain.actors import ANNA, BERT, START, account_of, genesis, genesis_of
from tests.runtime.small_chain import (
    PEER,
    balance,
    build,
    finality,
    finalize,
    ledger_at,
    tip_id,
    transfer,
)


def test_a_restarted_ledger_stands_where_it_stood(tmp_path: Path) -> None:
    before = ledger_at(tmp_path / "chain.db")
    finalize(before, transfer(nonce=1))
    finalize(before, transfer(nonce=2))

    after = ledger_at(tmp_path / "chain.db")

    assert (after.tip, after.state.root()) == (before.tip, before.state.root())
    assert after.height == 2


def test_a_restarted_ledger_goes_on_with_the_next_link(tmp_path: Path) -> None:
    finalize(ledger_at(tmp_path / "chain.db"))

    after = ledger_at(tmp_path / "chain.db")
    finalize(after)

    assert after.height == 2


def test_genesis_is_stored_once(tmp_path: Path) -> None:
    for _ in range(3):
        ledger_at(tmp_path / "chain.db")

    with sqlite3.connect(tmp_path / "chain.db") as database:
        assert database.execute("SELECT count(*) FROM blocks").fetchone() == (1,)


def test_the_chain_of_another_genesis_is_refused(tmp_path: Path) -> None:
    ledger_at(tmp_path / "chain.db")
    other = genesis_of(account_of(ANNA))

    with pytest.raises(OtherChain, match="--home"):
        ledger_at(tmp_path / "chain.db", document=other)


def test_a_block_delivered_twice_counts_once(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    heard: list[Finalized] = []
    ledger.hear(heard.append)
    block = finalize(ledger, transfer())

    ledger.deliver([block], finality(block))

    assert (len(heard), balance(ledger, BERT)) == (1, 999)


def test_blocks_never_executed_here_are_executed_on_delivery(tmp_path: Path) -> None:
    ahead, behind = ledger_at(tmp_path / "a.db"), ledger_at(tmp_path / "b.db", me=BERT)
    blocks = [finalize(ahead, transfer(nonce=nonce)) for nonce in (1, 2, 3)]

    behind.deliver(blocks, finality(blocks[-1]))

    assert (behind.height, behind.state.root()) == (3, ahead.state.root())


def test_only_the_last_block_of_a_delivery_has_the_certificate(tmp_path: Path) -> None:
    ahead, behind = ledger_at(tmp_path / "a.db"), ledger_at(tmp_path / "b.db", me=BERT)
    blocks = [finalize(ahead) for _ in range(2)]

    behind.deliver(blocks, finality(blocks[-1]))

    assert behind.finalization(Height(1)) is None
    assert behind.finalization(Height(2)) == finality(blocks[-1])
    assert (behind.finalized_block(Height(1)), behind.finalized_block(Height(0))) == (
        blocks[0],
        None,
    )


def test_hearers_are_told_of_each_block_in_order_with_the_state_after_it(tmp_path: Path) -> None:
    ahead, behind = ledger_at(tmp_path / "a.db"), ledger_at(tmp_path / "b.db", me=BERT)
    blocks = [finalize(ahead, transfer(nonce=nonce)) for nonce in (1, 2)]
    heard: list[tuple[int, int]] = []
    behind.hear(lambda one: heard.append((one.block.header.height, one.state.meta.height)))

    behind.deliver(blocks, finality(blocks[-1]))

    assert heard == [(1, 1), (2, 2)]


def test_states_of_abandoned_blocks_are_dropped_and_of_descendants_kept(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    chosen, rival = build(ledger, view=1), build(ledger, view=2, after=200)
    child = build(ledger, block_id(chosen.header), view=3, after=300)
    build(ledger, block_id(rival.header), view=4, after=400)

    ledger.deliver([chosen], finality(chosen))

    assert list(ledger._trials) == [block_id(child.header)]


def test_a_descendant_made_before_its_parent_was_final_is_built_upon(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    first = build(ledger, view=1)
    second = build(ledger, block_id(first.header), view=2, after=200)
    ledger.deliver([first], finality(first))

    third = build(ledger, block_id(second.header), view=3, after=300)
    ledger.deliver([second, third], finality(third))

    assert ledger_at(tmp_path / "chain.db").state.root() == ledger.state.root()


def test_no_block_is_built_once_the_links_are_used_up(tmp_path: Path) -> None:
    links = LinkChain(sha256(b"short"), links=1)
    account = replace(account_of(ANNA), link=(links.commitment,))
    ledger = ledger_at(tmp_path / "chain.db", document=genesis_of(account), links=links)
    block = build(ledger)
    ledger.deliver([block], finality(block))

    assert ledger.build(tip_id(ledger), View(2), Millis(START + 1_000)) is None


def test_who_committed_to_no_link_builds_nothing(tmp_path: Path) -> None:
    document = genesis_of(account_of(ANNA), replace(account_of(BERT), link=()))
    ledger = ledger_at(tmp_path / "chain.db", document=document, me=BERT)

    assert ledger.build(tip_id(ledger), View(1), Millis(START + 100)) is None


def test_a_block_with_a_false_root_is_not_executed(tmp_path: Path) -> None:
    author, ledger = ledger_at(tmp_path / "a.db"), ledger_at(tmp_path / "b.db", me=BERT)
    block = build(author)
    forged = replace(block, header=replace(block.header, state_root=Digest(bytes(32))))

    assert (ledger.execute(forged), ledger.execute(block), ledger.execute(block)) == (
        False,
        True,
        True,
    )


def test_transactions_that_the_header_does_not_commit_to_are_noticed(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    block = build(ledger)

    assert ledger.is_intact(block)
    assert not ledger.is_intact(replace(block, transactions=(transfer(),)))


def test_an_idle_chain_has_no_work(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")

    assert ledger.work_since(tip_id(ledger), Millis(START + 5)) is None


def test_work_waits_since_it_was_first_seen_however_much_comes_after_it(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    ledger.admit(transfer(nonce=1), Millis(START + 1), PEER)
    first = ledger.work_since(tip_id(ledger), Millis(START + 5))

    ledger.admit(transfer(nonce=2), Millis(START + 500), PEER)

    assert (first, ledger.work_since(tip_id(ledger), Millis(START + 900))) == (
        START + 5,
        START + 5,
    )


def test_what_a_block_on_trial_includes_is_no_work_on_top_of_it(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    ledger.admit(transfer(), Millis(START + 1), PEER)
    block = build(ledger)

    assert ledger.work_since(block_id(block.header), Millis(START + 200)) is None
    assert ledger.work_since(tip_id(ledger), Millis(START + 200)) == START + 200


def test_a_final_transaction_leaves_the_mempool(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    finalize(ledger, transfer())

    assert (len(ledger.mempool), ledger.is_pending(transfer())) == (0, False)


def test_a_transaction_that_breaks_a_rule_is_refused_by_its_name(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")

    with pytest.raises(InsufficientBalance):
        ledger.admit(transfer(credits_=5_000), Millis(START + 1), PEER)


def test_all_transactions_of_a_genesis_document_agree_on_its_root(tmp_path: Path) -> None:
    ledger = ledger_at(tmp_path / "chain.db")

    assert ledger.root.state_root == ledger.state.root()
    assert ledger.root.chain_id == ledger.state.meta.chain_id
    assert genesis().time == ledger.tip.time
