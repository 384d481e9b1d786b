"""What newcomers are offered: states after certified blocks of round heights, while the chain goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.signed_chain import SignedChain
from lc_node.chain.blocks import block_id
from lc_node.chain.codec import encode
from lc_node.chain.commitment import BUCKETS
from lc_node.chain.types import BlockId, ByteCount, Digest, Epoch, Height, PublicKey
from lc_node.consensus.block_plan import BLOCKS_DECODER
from lc_node.consensus.messages import GetBlocks
from lc_node.runtime.allowances import REMEMBERED_MAX, Allowances
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.pruning import PRUNE_BLOCKS, Pruning
from lc_node.runtime.shelf import Shelf
from lc_node.wire.snapshot import (
    BUCKETS_DECODER,
    MANIFEST_DECODER,
    OFFERS_DECODER,
    GetBuckets,
    GetManifest,
    GetOffers,
    Manifest,
    Offer,
    Wanted,
)
from lc_node.wire.topics import Topic
from tests.runtime.bench import HandClock
from tests.runtime.small_chain import build, finality, ledger_at

ASKER = PublicKey(b"asker" + bytes(27))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[SignedChain]:
    made = SignedChain(tmp_path / "chain.db", senders=3, epoch_heights=50, links=512)
    yield made
    made.store.close()


async def ask(shelf: Shelf, topic: Topic, question: object) -> bytes | None:
    return await shelf.answerers()[topic](ASKER, encode(question))


async def offers(shelf: Shelf) -> list[Offer]:
    said = await ask(shelf, Topic.SNAPSHOTS, GetOffers())
    assert said is not None
    return list(OFFERS_DECODER.decode(said).offers)


async def heights(shelf: Shelf) -> list[int]:
    return [offer.header.height for offer in await offers(shelf)]


async def manifest(shelf: Shelf, offer: Offer) -> Manifest:
    said = await ask(shelf, Topic.SNAPSHOTS, GetManifest(block_id=block_id(offer.header)))
    assert said is not None
    return MANIFEST_DECODER.decode(said)


async def test_a_chain_that_has_only_begun_offers_nothing(chain: SignedChain) -> None:
    assert await offers(Shelf(chain.ledger, HandClock())) == []


async def test_a_node_that_starts_offers_the_state_it_starts_with(chain: SignedChain) -> None:
    chain.grow(7)

    assert await heights(Shelf(chain.ledger, HandClock())) == [7]


async def test_the_newest_two_states_of_round_heights_are_offered(chain: SignedChain) -> None:
    shelf = Shelf(chain.ledger, HandClock(), put_aside_blocks=10)
    chain.grow(35)

    assert await heights(shelf) == [20, 30]


async def test_a_state_without_a_certificate_waits_for_the_next_that_has_one(
    tmp_path: Path,
) -> None:
    ledger = ledger_at(tmp_path / "chain.db")
    shelf = Shelf(ledger, HandClock(), put_aside_blocks=1)
    first = build(ledger, view=1)
    second = build(ledger, block_id(first.header), view=2, after=200)
    ledger.deliver([first, second], finality(second))

    assert await heights(shelf) == [2]


async def test_what_is_put_aside_stays_as_it_was(chain: SignedChain) -> None:
    shelf = Shelf(chain.ledger, HandClock(), put_aside_blocks=10)
    chain.grow(10, is_full=True)
    (offer,) = await offers(shelf)
    chain.grow(5, is_full=True)
    told = await manifest(shelf, offer)

    assert (told.root, told.block.header) == (offer.header.state_root, offer.header)
    assert told.root != chain.ledger.tip.state_root


async def test_buckets_are_told_by_their_hashes(chain: SignedChain) -> None:
    shelf = Shelf(chain.ledger, HandClock(), put_aside_blocks=10)
    chain.grow(10, is_full=True)
    (offer,) = await offers(shelf)
    told = await manifest(shelf, offer)
    full = max(range(BUCKETS), key=lambda i: len(chain.ledger.state.commitment().bucket(i)))
    wanted = (
        Wanted(index=full, leaf=told.leaf(full)),
        Wanted(index=(full + 1) % BUCKETS, leaf=Digest(bytes(32))),
    )
    question = GetBuckets(wanted=wanted, offset=ByteCount(0))
    said = await ask(shelf, Topic.BUCKETS, question)

    assert said is not None
    assert [piece.index for piece in BUCKETS_DECODER.decode(said).pieces] == [full]


async def test_a_state_that_was_never_offered_has_no_manifest(chain: SignedChain) -> None:
    chain.grow(3)
    shelf = Shelf(chain.ledger, HandClock())
    question = GetManifest(block_id=BlockId(Digest(bytes(32))))

    assert await ask(shelf, Topic.SNAPSHOTS, question) is None


async def test_a_state_whose_block_was_pruned_has_no_manifest(chain: SignedChain) -> None:
    chain.grow(3)
    shelf = Shelf(chain.ledger, HandClock())
    (offer,) = await offers(shelf)
    chain.grow(3)
    chain.store.prune(blocks_below=Height(5), receipts_below=Height(0))
    question = GetManifest(block_id=block_id(offer.header))

    assert await ask(shelf, Topic.SNAPSHOTS, question) is None


async def test_blocks_are_told_by_their_heights(chain: SignedChain) -> None:
    chain.grow(9)
    shelf = Shelf(chain.ledger, HandClock())
    said = await ask(shelf, Topic.BLOCKS, GetBlocks(first=Height(3), below=Height(6)))

    assert said is not None
    assert [one.header.height for one in BLOCKS_DECODER.decode(said).blocks] == [3, 4, 5]


async def test_blocks_that_were_pruned_are_not_told(chain: SignedChain) -> None:
    chain.grow(9)
    chain.store.prune(blocks_below=Height(5), receipts_below=Height(0))
    shelf = Shelf(chain.ledger, HandClock())

    assert await ask(shelf, Topic.BLOCKS, GetBlocks(first=Height(3), below=Height(9))) is None


@pytest.mark.parametrize("topic", [Topic.SNAPSHOTS, Topic.BUCKETS, Topic.BLOCKS])
async def test_what_is_no_question_has_no_answer(topic: Topic, chain: SignedChain) -> None:
    assert await ask(Shelf(chain.ledger, HandClock()), topic, ()) is None


async def test_who_was_told_too_much_has_to_wait(
    chain: SignedChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 4 * 1024 * 1024
    monkeypatch.setattr("lc_node.runtime.shelf.ANSWERED_BYTES", most)
    chain.grow(1)
    clock = HandClock()
    shelf = Shelf(chain.ledger, clock)
    (offer,) = await offers(shelf)
    question = GetManifest(block_id=block_id(offer.header))
    told = 0
    while (said := await ask(shelf, Topic.SNAPSHOTS, question)) is not None:
        told += len(said)
    clock.time += 10_000

    assert most - 2_000_000 < told <= most
    assert await ask(shelf, Topic.SNAPSHOTS, question) is not None


def test_allowances_are_apart_and_the_longest_unused_is_forgotten() -> None:
    allowances = Allowances(10, HandClock())
    allowances.of(ASKER).take(10)
    is_spent = not allowances.of(ASKER).has(1)
    others = [PublicKey(number.to_bytes(32, "big")) for number in range(REMEMBERED_MAX)]

    assert is_spent
    assert all(allowances.of(other).has(10) for other in others)
    assert allowances.of(ASKER).has(10)


# Pruning.


def kept(ledger: Ledger) -> int:
    return sum(ledger.finalized_block(Height(h)) is not None for h in range(1, ledger.height + 1))


def test_only_so_many_blocks_are_kept(chain: SignedChain) -> None:
    Pruning(chain.ledger, chain.store, blocks_kept=100)
    chain.grow(4 * PRUNE_BLOCKS)

    assert kept(chain.ledger) == 100
    assert chain.store.first() == 4 * PRUNE_BLOCKS - 99


def test_without_a_limit_every_block_is_kept(chain: SignedChain) -> None:
    Pruning(chain.ledger, chain.store, blocks_kept=0)
    chain.grow(2 * PRUNE_BLOCKS)

    assert kept(chain.ledger) == 2 * PRUNE_BLOCKS


def test_ends_of_epochs_outlive_their_blocks(chain: SignedChain) -> None:
    Pruning(chain.ledger, chain.store, blocks_kept=10)
    chain.grow(2 * PRUNE_BLOCKS)

    ends = [chain.ledger.epoch_proof(Epoch(number)) for number in range(2)]
    assert [end.header.height for end in ends if end is not None] == [50, 100]


def test_receipts_are_kept_as_long_as_the_protocol_wants(tmp_path: Path) -> None:
    chain = SignedChain(tmp_path / "slow.db", epoch_heights=20, links=512, block_ms=60_000)
    Pruning(chain.ledger, chain.store, blocks_kept=10)
    chain.grow(3 * PRUNE_BLOCKS)
    told = [h for h in range(20, 3 * PRUNE_BLOCKS, 20) if chain.store.receipts_at(Height(h))]
    wanted_from = chain.ledger.height - chain.ledger.params.history_kept_ms // 60_000
    chain.store.close()

    assert told == [h for h in range(20, 3 * PRUNE_BLOCKS, 20) if h >= wanted_from - 20]
