"""The sender sees transactions through, and never lets one be paid twice."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.chain.errors import (
    InsufficientBalance,
    MalformedBytes,
    TransactionRefused,
)
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.params import CREDIT, DEVNET
from lc_node.chain.transactions import TRANSACTION_DECODER, SignedTransaction, Transfer
from lc_node.chain.types import MicroCredits, Millis
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.sender import Included, NotFinal, OutcomeUnknown, Sender
from tests.chain.actors import (
    ANNA,
    BERT,
    CLEO,
    DORA,
    Person,
    account_of,
    genesis,
    genesis_of,
    signed,
)
from tests.peer_nodes import until
from tests.runtime.bench import HandClock
from tests.runtime.small_chain import PEER, balance, finalize, follow, ledger_at, payment
from tests.runtime.test_snapshots import adopt

REPEAT_SECONDS = 0.01


class Wire:
    """Hands what is told to another node's ledger, and keeps it."""

    def __init__(self, peer: Ledger | None = None) -> None:
        self.peer = peer
        self.told: list[SignedTransaction] = []
        self.work = 0

    def broadcast_transaction(self, raw: bytes) -> int:
        one = TRANSACTION_DECODER.decode(raw)
        self.told.append(one)
        if self.peer is not None:
            with suppress(TransactionRefused):
                self.peer.admit(one, Millis(self.peer.tip.time + 1), PEER)
        return 1

    def on_work(self) -> None:
        self.work += 1

    @property
    def nonces(self) -> list[int]:
        return sorted({one.transaction.nonce for one in self.told})


def sender_of(
    ledger: Ledger, wire: Wire, who: Person = BERT, document: Genesis | None = None
) -> Sender:
    sender = Sender(
        signer=who,
        chain_id=chain_id(document or genesis()),
        ledger=ledger,
        gossip=wire,
        clock=HandClock(),
        on_work=wire.on_work,
    )
    sender.repeat_seconds = REPEAT_SECONDS
    return sender


async def while_sending(
    sending: Awaitable[Included], story: Callable[[], Awaitable[None]]
) -> Included:
    """Let a story happen while something is being sent; return what came of it."""

    async def wait() -> Included:
        return await sending

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        task = group.create_task(wait())
        await story()
    return task.result()


async def test_a_transaction_is_told_at_once_and_seen_through_until_final(tmp_path: Path) -> None:
    ledger, wire = ledger_at(tmp_path / "chain.db"), Wire()

    async def story() -> None:
        await until(lambda: bool(wire.told))
        finalize(ledger)

    included = await while_sending(sender_of(ledger, wire).send(payment()), story)

    assert (included.height, wire.work, balance(ledger, BERT)) == (1, 1, 999)


async def test_a_refused_transaction_raises_its_named_cause_and_is_told_to_nobody(
    tmp_path: Path,
) -> None:
    ledger, wire = ledger_at(tmp_path / "chain.db"), Wire()

    with pytest.raises(InsufficientBalance):
        await sender_of(ledger, wire).send(payment(5_000))

    assert wire.told == []


async def test_a_value_that_no_transaction_may_have_is_refused_before_anybody_sees_it(
    tmp_path: Path,
) -> None:
    wire = Wire()
    sender = sender_of(ledger_at(tmp_path / "chain.db"), wire)

    with pytest.raises(MalformedBytes, match="transaction"):
        await sender.send(
            Transfer(to=ANNA.public_key, amount=MicroCredits(1), memo=b"x" * 65), timeout_seconds=1
        )

    assert wire.told == []


async def test_what_is_not_final_is_told_again_in_other_bytes_under_the_same_nonce(
    tmp_path: Path,
) -> None:
    ledger, wire = ledger_at(tmp_path / "chain.db"), Wire()

    async def story() -> None:
        await until(lambda: len(wire.told) >= 4)
        finalize(ledger)

    await while_sending(sender_of(ledger, wire).send(payment()), story)

    assert wire.nonces == [1]
    assert len({one.signature for one in wire.told}) >= 4


async def test_a_variant_that_a_peer_includes_is_recognised(tmp_path: Path) -> None:
    home, leader = ledger_at(tmp_path / "home.db"), ledger_at(tmp_path / "leader.db")
    wire = Wire()

    async def story() -> None:
        await until(lambda: len(wire.told) >= 3)
        follow(home, leader, wire.told[2])

    included = await while_sending(sender_of(home, wire).send(payment()), story)

    assert (included.height, balance(home, BERT)) == (1, 999)


async def test_a_transfer_dropped_here_but_kept_by_peers_is_paid_once(tmp_path: Path) -> None:
    crowded = replace(DEVNET, mempool_transactions_max=1)
    people = (account_of(ANNA), account_of(BERT), account_of(CLEO, bonded=500 * CREDIT))
    small = genesis_of(*people, params=crowded)
    home = ledger_at(tmp_path / "home.db", document=small)
    leader = ledger_at(tmp_path / "leader.db", document=genesis_of(*people, params=crowded))
    leader.mempool._params = DEVNET  # a peer with more room
    wire = Wire(leader)
    richer = signed(CLEO, payment(), chain_id=chain_id(small))

    async def story() -> None:
        await until(lambda: bool(wire.told))
        home.admit(richer, Millis(home.tip.time + 1), PEER)
        assert not home.is_pending(wire.told[0])
        seen = len(wire.told)
        home.mempool._params = DEVNET
        await until(lambda: len(wire.told) > seen)
        for _ in range(2):
            follow(home, leader)

    await while_sending(sender_of(home, wire, document=small).send(payment()), story)

    assert (balance(home, BERT), len(wire.nonces)) == (999, 1)


async def test_a_transaction_that_another_of_ours_overtook_is_signed_under_a_new_nonce(
    tmp_path: Path,
) -> None:
    home, leader = ledger_at(tmp_path / "home.db"), ledger_at(tmp_path / "leader.db")
    wire = Wire()
    later = signed(BERT, payment(2), chain_id=chain_id(genesis()), nonce=7)

    async def story() -> None:
        await until(lambda: bool(wire.told))
        follow(home, leader, later)
        await until(lambda: wire.nonces == [1, 8])
        finalize(home)

    included = await while_sending(sender_of(home, wire).send(payment()), story)

    assert (included.height, balance(home, BERT)) == (2, 997)


async def test_a_transaction_too_late_for_its_height_is_signed_anew_under_its_nonce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lc_node.runtime.sender.VALID_BLOCKS", 1)
    home, leader = ledger_at(tmp_path / "home.db"), ledger_at(tmp_path / "leader.db")
    wire = Wire()

    async def story() -> None:
        await until(lambda: bool(wire.told))
        for _ in range(2):
            follow(home, leader)
        seen = len(wire.told)
        await until(lambda: len(wire.told) > seen)
        finalize(home)

    included = await while_sending(sender_of(home, wire).send(payment()), story)

    assert (included.height, wire.nonces, balance(home, BERT)) == (3, [1], 999)


async def test_after_a_restart_what_was_sent_before_goes_first_and_both_are_paid(
    tmp_path: Path,
) -> None:
    ledger, wire = ledger_at(tmp_path / "chain.db"), Wire()
    earlier = signed(BERT, payment(5), chain_id=chain_id(genesis()), nonce=1)
    ledger.admit(earlier, Millis(ledger.tip.time + 1), PEER)

    async def story() -> None:
        await asyncio.sleep(0)
        finalize(ledger)
        await until(lambda: bool(wire.told))
        finalize(ledger)

    await while_sending(sender_of(ledger, wire).send(payment()), story)

    assert balance(ledger, BERT) == 1_000 - 5 - 1


async def test_what_a_snapshot_may_have_passed_over_is_not_signed_a_second_time(
    tmp_path: Path,
) -> None:
    home, leader = ledger_at(tmp_path / "home.db"), ledger_at(tmp_path / "leader.db")
    wire = Wire(leader)

    async def story() -> None:
        await until(lambda: bool(wire.told))
        finalize(leader)
        adopt(home, leader)

    sending = sender_of(home, wire).send(payment(), timeout_seconds=60)
    with pytest.raises(ExceptionGroup) as failed:
        await while_sending(sending, story)

    assert failed.group_contains(OutcomeUnknown, match="lc-node wallet")
    assert (balance(home, BERT), wire.nonces) == (999, [1])


async def test_what_the_first_block_after_a_snapshot_brings_is_final(tmp_path: Path) -> None:
    home, leader = ledger_at(tmp_path / "home.db"), ledger_at(tmp_path / "leader.db")
    wire = Wire()

    async def story() -> None:
        await until(lambda: bool(wire.told))
        finalize(leader)
        adopt(home, leader)
        follow(home, leader, wire.told[0])

    sending = sender_of(home, wire).send(payment(), timeout_seconds=60)

    assert (await while_sending(sending, story)).height == 2


async def test_blocks_that_follow_a_snapshot_are_heard_of_as_before(tmp_path: Path) -> None:
    home, leader = ledger_at(tmp_path / "home.db"), ledger_at(tmp_path / "leader.db")
    for _ in range(2):
        finalize(leader)
    sender = sender_of(home, Wire())
    adopt(home, leader)

    included = await while_sending(
        sender.send(payment(), timeout_seconds=60), lambda: _finalized_soon(home)
    )

    assert included.height == 3


async def _finalized_soon(ledger: Ledger) -> None:
    await until(lambda: len(ledger.mempool) > 0)
    finalize(ledger)


async def test_what_is_sent_at_the_same_time_becomes_final_in_one_block(tmp_path: Path) -> None:
    ledger, wire = ledger_at(tmp_path / "chain.db"), Wire()
    sender = sender_of(ledger, wire)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks = [group.create_task(sender.send(payment())) for _ in range(5)]
        await until(lambda: len(ledger.mempool) == 5)
        finalize(ledger)

    assert [task.result().height for task in tasks] == [1] * 5
    assert balance(ledger, BERT) == 995


async def test_more_at_once_than_an_account_may_have_pending_take_turns(tmp_path: Path) -> None:
    ledger, wire = ledger_at(tmp_path / "chain.db"), Wire()
    sender = sender_of(ledger, wire)

    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        tasks = [group.create_task(sender.send(payment())) for _ in range(20)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            assert len(ledger.mempool) <= DEVNET.pending_per_account_max
            finalize(ledger)

    assert balance(ledger, BERT) == 980


async def test_a_network_that_takes_nothing_is_reported_after_the_time_given(
    tmp_path: Path,
) -> None:
    sender = sender_of(ledger_at(tmp_path / "chain.db"), Wire())

    with pytest.raises(NotFinal, match="two thirds"):
        await sender.send(payment(), timeout_seconds=0.05)

    assert sender._waiting == {}


async def test_what_becomes_forbidden_while_it_waits_raises_its_named_cause(
    tmp_path: Path,
) -> None:
    home, leader = ledger_at(tmp_path / "home.db"), ledger_at(tmp_path / "leader.db")
    wire = Wire()
    spent = signed(BERT, payment(999, to=DORA), chain_id=chain_id(genesis()), nonce=9)

    async def story() -> None:
        await until(lambda: bool(wire.told))
        follow(home, leader, spent)

    sender = sender_of(home, wire)
    with pytest.raises(ExceptionGroup) as group:
        await while_sending(sender.send(payment(2)), story)

    assert group.group_contains(InsufficientBalance)
