"""An audit replays a stored chain, explains every credit, and names the first block that is wrong."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lc_node.adapters.sqlite_chain_reader import SqliteChainReader
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.chain.blocks import Block, block_id
from lc_node.chain.codec import encode
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Transfer
from lc_node.chain.transition import Applied, apply_block
from lc_node.chain.types import MicroCredits, MillisSpan
from lc_node.ports.stores import StorageBroken
from lc_node.runtime.audit import AuditFailed, ChainPruned, audit
from lc_node.runtime.audit_report import Audit
from lc_node.runtime.ledger import Ledger
from tests.chain.actors import ANNA, BERT, CLEO
from tests.chain.epoch_chain import SHORT, bond, four_members, unbond
from tests.consensus.proven_chain import ProvenChain, certify

Damage = Callable[[sqlite3.Connection, ProvenChain], object]


def made() -> ProvenChain:
    """Return a chain of two ended epochs in which credits have moved."""
    chain = ProvenChain(four_members(params=replace(SHORT, issue_per_hour=MicroCredits(10**10))))
    gift = Transfer(to=CLEO.public_key, amount=MicroCredits(5 * CREDIT), memo=b"")
    chain.chain.step((ANNA, gift), (BERT, bond(10)))
    chain.note().finish()
    chain.chain.step((BERT, unbond(20)))
    return chain.note().finish().step()


def stored(path: Path, chain: ProvenChain, *, certified: Callable[[int], bool] = bool) -> Path:
    """Write a chain into a store, the blocks that are certified each with its own certificate."""
    store = SqliteChainStore.open(path, chain_id(chain.document))
    ledger = Ledger(genesis=chain.document, store=store, me=ANNA.public_key, links=ANNA.links)
    waiting: list[Block] = []
    for block in chain.chain.blocks:
        waiting.append(block)
        if certified(block.header.height):
            ledger.deliver(waiting, chain.certificates[block.header.height])
            waiting = []
    store.close()
    return path


def audited(path: Path, genesis: Genesis) -> Audit:
    with SqliteChainReader(path) as reader:
        return audit(genesis, reader, lambda _height, _tip: None)


def damaged(tmp_path: Path, damage: Damage) -> AuditFailed:
    """Return what an audit says of a store to which something was done."""
    chain = made()
    path = stored(tmp_path / "chain.db", chain)
    connection = sqlite3.connect(path)
    with connection:
        damage(connection, chain)
    connection.close()
    with pytest.raises(AuditFailed) as caught:
        audited(path, chain.document)
    return caught.value


def account_of(found: Audit, index: int) -> dict[str, int]:
    return found.accounts[index].causes


def test_every_credit_of_a_chain_is_explained(tmp_path: Path) -> None:
    chain = made()
    found = audited(stored(tmp_path / "chain.db", chain), chain.document)

    state = chain.chain.state
    for one, (key, account) in zip(found.accounts, state.accounts(), strict=True):
        assert sum(one.causes.values()) == account.balance + account.slashable, key.hex()
    assert found.owned + found.held + sum(found.burned.values()) == found.genesis + found.issued
    assert found.issued == state.meta.issued > 0


def test_what_was_given_is_told_on_both_sides(tmp_path: Path) -> None:
    chain = made()
    found = audited(stored(tmp_path / "chain.db", chain), chain.document)
    keys = [key for key, _ in chain.chain.state.accounts()]
    giver, taker = keys.index(ANNA.public_key), keys.index(CLEO.public_key)

    assert account_of(found, giver)["sent"] == -5 * CREDIT
    assert account_of(found, taker)["received"] == 5 * CREDIT


def test_all_that_was_checked_is_counted(tmp_path: Path) -> None:
    chain = made()
    found = audited(stored(tmp_path / "chain.db", chain), chain.document)

    assert (found.height, found.blocks, found.transactions, found.epochs) == (7, 7, 3, 2)
    assert (found.certificates, found.votes) == (7, 28)


def test_blocks_may_hang_on_a_later_certificate(tmp_path: Path) -> None:
    chain = made()
    path = stored(tmp_path / "chain.db", chain, certified=lambda height: height in (3, 6, 7))

    assert audited(path, chain.document).certificates == 3


def test_a_chain_is_audited_while_its_node_writes(tmp_path: Path) -> None:
    chain = made()
    path = stored(tmp_path / "chain.db", chain)
    store = SqliteChainStore.open(path, chain_id(chain.document))
    try:
        assert audited(path, chain.document).height == 7
    finally:
        store.close()


def update(table: str, column: str, change: Callable[[bytes], bytes], where: str) -> Damage:
    """Change one value of the store."""

    def damage(connection: sqlite3.Connection, _chain: ProvenChain) -> None:
        query = f"SELECT {column} FROM {table} WHERE {where}"  # noqa: S608  # the test's own words
        (old,) = connection.execute(query).fetchone()
        connection.execute(
            f"UPDATE {table} SET {column} = ? WHERE {where}",  # noqa: S608
            (change(old),),
        )

    return damage


def flipped(data: bytes) -> bytes:
    """Return bytes of which one bit in the middle is another."""
    place = len(data) // 2
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


def forged(connection: sqlite3.Connection, chain: ProvenChain) -> None:
    """Put a block into the store that gives Anna more than there is, as if all had voted for it."""
    honest = chain.chain.blocks[3]
    greedy = replace(honest, header=replace(honest.header, state_root=chain.tip.state_root))
    certificate = certify(greedy.header, chain.sets[1])
    connection.execute(
        "UPDATE blocks SET id = ?, block = ?, certificate = ? WHERE height = 4",
        (block_id(greedy.header), encode(greedy), encode(certificate)),
    )


@pytest.mark.parametrize(
    ("damage", "height", "why"),
    [
        (update("blocks", "block", flipped, "height = 4"), 4, ""),
        (update("blocks", "block", lambda _: b"", "height = 4"), 4, "malformed block"),
        (update("blocks", "id", flipped, "height = 4"), 4, "under another block's id"),
        (update("blocks", "certificate", flipped, "height = 4"), 4, ""),
        (update("blocks", "certificate", lambda _: b"", "height = 6"), 6, "ends an epoch"),
        (update("blocks", "certificate", lambda _: b"", "height = 7"), 7, "no certificate"),
        (update("receipts", "data", flipped, "height = 3 AND position = 0"), 3, "receipts"),
        (update("state", "value", flipped, "key >= x'61' AND key < x'62'"), 7, ""),
        (forged, 4, "state_root"),
    ],
    ids=[
        "block",
        "no block",
        "id",
        "certificate",
        "no certificate of an epoch's end",
        "no certificate of the tip",
        "receipt",
        "state",
        "forged",
    ],
)
def test_what_was_damaged_is_named_by_its_height(
    tmp_path: Path, damage: Damage, height: int, why: str
) -> None:
    error = damaged(tmp_path, damage)

    assert (error.height, why in error.why) == (height, True)


def test_a_block_of_another_branch_is_named(tmp_path: Path) -> None:
    def graft(connection: sqlite3.Connection, chain: ProvenChain) -> None:
        block = chain.chain.blocks[4]
        other = replace(block, header=replace(block.header, parent_id=chain.headers[3].parent_id))
        certificate = certify(other.header, chain.sets[1])
        connection.execute(
            "UPDATE blocks SET id = ?, block = ?, certificate = ? WHERE height = 5",
            (block_id(other.header), encode(other), encode(certificate)),
        )

    error = damaged(tmp_path, graft)
    assert (error.height, "its parent is another block" in error.why) == (5, True)


def test_a_certificate_of_others_is_named(tmp_path: Path) -> None:
    def buy(connection: sqlite3.Connection, chain: ProvenChain) -> None:
        certificate = certify(chain.headers[5], chain.sets[1], signers=(ANNA, BERT))
        connection.execute(
            "UPDATE blocks SET certificate = ? WHERE height = 5", (encode(certificate),)
        )

    error = damaged(tmp_path, buy)
    assert (error.height, "not by the validators" in error.why) == (5, True)


def test_a_chain_of_another_genesis_is_named(tmp_path: Path) -> None:
    chain = made()
    path = stored(tmp_path / "chain.db", chain)
    other = four_members(params=replace(SHORT, heartbeat_ms=MillisSpan(1)))

    with pytest.raises(AuditFailed, match="block 0 does not hold: it is the genesis of another"):
        audited(path, other)


def test_a_chain_with_blocks_left_out_cannot_be_replayed(tmp_path: Path) -> None:
    chain = made()
    path = stored(tmp_path / "chain.db", chain)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM blocks WHERE height <= 4")
    connection.close()

    with pytest.raises(ChainPruned, match="block 1 is not kept"):
        audited(path, chain.document)


def test_a_store_without_blocks_holds_no_chain(tmp_path: Path) -> None:
    path = tmp_path / "chain.db"
    SqliteChainStore(path).close()

    with pytest.raises(ChainPruned):
        audited(path, made().document)


def test_a_home_without_a_chain_says_so(tmp_path: Path) -> None:
    with pytest.raises(StorageBroken, match="name another --home"):
        SqliteChainReader(tmp_path / "chain.db")


# Rules that are broken in the same way on every node: only the sums can show it.


def with_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Applied], Applied]
) -> AuditFailed:
    """Return what an audit says where every block has other consequences, which all nodes share."""
    chain = made()
    path = stored(tmp_path / "chain.db", chain)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("DELETE FROM receipts")
    connection.close()

    def broken(*arguments: Any) -> Applied:
        return change(apply_block(*arguments))

    monkeypatch.setattr("lc_node.runtime.audit.apply_block", broken)
    with pytest.raises(AuditFailed) as caught:
        audited(path, chain.document)
    return caught.value


def untold(applied: Applied) -> Applied:
    """Return consequences of which nothing is told."""
    return Applied(state=applied.state, events=())


def test_credits_that_are_issued_without_a_word_are_found_in_their_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = with_rules(tmp_path, monkeypatch, untold)

    assert (error.height, "account" in error.why) == (3, True)


def test_credits_from_nowhere_are_found_in_their_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enrich(applied: Applied) -> Applied:
        account = applied.state.account(CLEO.public_key)
        more = MicroCredits(account.balance + 1)
        applied.state.set_account(CLEO.public_key, replace(account, balance=more))
        return applied

    error = with_rules(tmp_path, monkeypatch, enrich)
    assert (error.height, "all that the block changed" in error.why) == (1, True)


def test_the_books_are_compared_as_a_whole_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.runtime.audit._Replay._book", lambda *_: None)
    error = with_rules(tmp_path, monkeypatch, lambda applied: applied)

    assert (error.height, "are explained" in error.why) == (7, True)
