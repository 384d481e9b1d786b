"""A newcomer stands where the network is, whoever of those it asks lies, sleeps or leaves."""

import asyncio
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.signed_chain import SignedChain
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.chain.blocks import block_id
from lc_node.chain.codec import encode
from lc_node.chain.types import Epoch, Height, PublicKey
from lc_node.consensus.block_plan import BLOCKS_DECODER
from lc_node.consensus.inquiries import EPOCH_PROOFS_DECODER, FINALIZED_DECODER
from lc_node.consensus.messages import EpochProofs
from lc_node.runtime.answers import Answerer
from lc_node.runtime.catch_up import Terms
from lc_node.runtime.network import Network
from lc_node.wire.snapshot import (
    BUCKETS_DECODER,
    OFFERS_DECODER,
    SNAPSHOT_QUESTION_DECODER,
    Buckets,
    GetOffers,
    Offers,
)
from lc_node.wire.topics import Topic
from tests.peer_nodes import until
from tests.runtime.sync_stage import (
    BY_BLOCKS,
    EPOCH_HEIGHTS,
    HEIGHT,
    HONEST,
    OTHERS,
    SELF,
    Lie,
    Newcomer,
    among,
    changed,
    grown_chain,
    instead,
    networked,
    once,
    server,
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> SignedChain:
    """Return a chain in its fifth epoch, whose blocks made many accounts."""
    return grown_chain(tmp_path_factory.mktemp("chain") / "chain.db")


@pytest.fixture
def newcomer(tmp_path: Path, chain: SignedChain) -> Iterator[Newcomer]:
    made = Newcomer(tmp_path / "newcomer", chain.genesis, chain)
    yield made
    made.close()


def is_there(newcomer: Newcomer, chain: SignedChain) -> bool:
    return newcomer.ledger.tip == chain.ledger.tip


def liars(network: Network) -> set[PublicKey]:
    """Return who has been banned for a lie."""
    return {one.peer for one in network.peers() if one.score >= 900}


def forge_bucket(said: bytes) -> bytes:
    first, *rest = BUCKETS_DECODER.decode(said).pieces
    forged = replace(first, data=first.data + b"x")
    return encode(Buckets(pieces=(forged, *rest)))


def forge_offer(said: bytes) -> bytes:
    offers = OFFERS_DECODER.decode(said).offers
    header = replace(offers[-1].header, height=Height(HEIGHT + 1_000))
    return encode(Offers(offers=(replace(offers[-1], header=header),)))


def forge_proof(said: bytes) -> bytes:
    told = EPOCH_PROOFS_DECODER.decode(said)
    first, *rest = told.proofs
    certificate = replace(first.certificate, signatures=first.certificate.signatures[::-1])
    return encode(replace(told, proofs=(replace(first, certificate=certificate), *rest)))


def without_epoch_3(said: bytes) -> bytes | None:
    proofs = EPOCH_PROOFS_DECODER.decode(said).proofs
    left = tuple(proof for proof in proofs if proof.header.epoch < 3)
    return encode(EpochProofs(proofs=left)) if left else None


def forge_blocks(said: bytes) -> bytes:
    told = BLOCKS_DECODER.decode(said)
    (certificate,) = told.certificate
    forged = replace(certificate, signatures=certificate.signatures[::-1])
    return encode(replace(told, certificate=(forged,)))


def forge_newest(said: bytes) -> bytes:
    told = FINALIZED_DECODER.decode(said)
    header = replace(told.headers[-1], height=Height(HEIGHT + 1_000))
    return encode(replace(told, headers=(header,)))


async def nothing(question: bytes) -> bytes | None:
    del question
    return None


async def nonsense(question: bytes) -> bytes | None:
    del question
    return b"\xc1"


def offers_only(honest: Answerer) -> Answerer:
    """Offer a state of which nothing is told."""

    async def answerer(peer: PublicKey, question: bytes) -> bytes | None:
        is_offer = isinstance(SNAPSHOT_QUESTION_DECODER.decode(question), GetOffers)
        return await honest(peer, question) if is_offer else None

    return answerer


# By a snapshot.


async def test_a_newcomer_takes_the_state_and_not_the_blocks(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    both = once(asyncio.Barrier(2).wait, Topic.BUCKETS)
    async with among(tmp_path, chain, newcomer, both, both) as (_, _, servers):
        await until(lambda: newcomer.went_on == 1)

    ledger = newcomer.ledger
    assert (ledger.tip, ledger.state.root()) == (chain.ledger.tip, chain.ledger.state.root())
    assert (newcomer.adopted, newcomer.paused, ledger.finalized_block(Height(7))) == (
        [HEIGHT],
        1,
        None,
    )
    assert {Topic.BUCKETS in one.asked for one in servers} == {True}


async def test_what_was_fetched_is_forgotten_once_it_is_adopted(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    async with among(tmp_path, chain, newcomer, HONEST):
        await until(lambda: newcomer.went_on == 1)

    assert newcomer.snapshot.held() == {}


async def test_after_a_snapshot_others_are_led_over_the_epochs(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    async with among(tmp_path, chain, newcomer, HONEST):
        await until(lambda: newcomer.went_on == 1)

    proofs = [newcomer.ledger.epoch_proof(Epoch(number)) for number in range(5)]
    assert proofs == [chain.ledger.epoch_proof(Epoch(number)) for number in range(5)]
    era = newcomer.ledger.era(block_id(newcomer.ledger.tip))
    assert era == chain.ledger.era(block_id(chain.ledger.tip))


async def test_an_epochs_end_is_known_of_a_state_that_was_put_aside_just_then(
    tmp_path: Path,
) -> None:
    chain = SignedChain(tmp_path / "chain.db", epoch_heights=EPOCH_HEIGHTS, links=128)
    chain.grow(4 * EPOCH_HEIGHTS)
    newcomer = Newcomer(tmp_path / "newcomer", chain.genesis, chain)
    # When it was asked for proofs, the last epoch had not ended.
    async with among(tmp_path, chain, newcomer, {Topic.EPOCHS: changed(without_epoch_3)}):
        await until(lambda: newcomer.went_on == 1)

    assert newcomer.ledger.tip == chain.ledger.tip
    assert newcomer.ledger.epoch_proof(Epoch(3)) == chain.ledger.epoch_proof(Epoch(3))
    assert newcomer.votes.signs_from() == 5
    newcomer.close()
    chain.store.close()


SNAPSHOT_LIES: Mapping[str, Mapping[Topic, Lie]] = {
    "buckets": {Topic.BUCKETS: changed(forge_bucket)},
    "an offer": {Topic.SNAPSHOTS: changed(forge_offer)},
    "epochs": {Topic.EPOCHS: changed(forge_proof)},
    "nonsense for buckets": {Topic.BUCKETS: instead(nonsense)},
    "nonsense for offers": {Topic.SNAPSHOTS: instead(nonsense)},
    "nonsense for epochs": {Topic.EPOCHS: instead(nonsense)},
}


@pytest.mark.parametrize("lies", SNAPSHOT_LIES.values(), ids=SNAPSHOT_LIES.keys())
async def test_a_liar_is_blamed_and_the_state_comes_from_others(
    lies: Mapping[Topic, Lie], chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    is_blamed = asyncio.Event()
    honest = once(is_blamed.wait, Topic.BUCKETS)
    async with among(tmp_path, chain, newcomer, lies, honest) as (network, _, _):
        await until(lambda: liars(network) == {OTHERS[0].key})
        is_blamed.set()
        await until(lambda: is_there(newcomer, chain))

        assert liars(network) == {OTHERS[0].key}
    assert newcomer.ledger.state.root() == chain.ledger.state.root()


async def test_of_liars_alone_nothing_is_believed(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    lies = SNAPSHOT_LIES["buckets"]
    async with among(tmp_path, chain, newcomer, lies, lies) as (network, _, _):
        await until(lambda: len(liars(network)) == 2)

    assert newcomer.ledger.height == 0


async def test_a_server_that_vanishes_is_replaced(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    is_asked = asyncio.Event()

    def vanishing(honest: Answerer) -> Answerer:
        async def answerer(peer: PublicKey, question: bytes) -> bytes | None:
            if is_asked.is_set():
                await asyncio.Event().wait()
            is_asked.set()
            return await honest(peer, question)

        return answerer

    async with AsyncExitStack() as stack:
        leaver = await stack.enter_async_context(AsyncExitStack())
        gone, _ = await leaver.enter_async_context(
            server(OTHERS[0], tmp_path, chain.ledger, {Topic.BUCKETS: vanishing})
        )
        stays, _ = await stack.enter_async_context(server(OTHERS[1], tmp_path, chain.ledger))
        network, _, _ = await stack.enter_async_context(
            networked(SELF, tmp_path, lambda: newcomer.ledger.height, peers=[gone, stays])
        )
        await until(lambda: len(network.connected) == 2)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(newcomer.catch_up(network).run())
            await is_asked.wait()
            await leaver.aclose()
            await until(lambda: newcomer.adopted == [HEIGHT])
            task.cancel()

    assert is_there(newcomer, chain)


async def test_after_a_restart_only_the_rest_is_fetched(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    def once(honest: Answerer) -> Answerer:
        left = [2]

        async def answerer(peer: PublicKey, question: bytes) -> bytes | None:
            left[0] -= 1
            return await honest(peer, question) if left[0] >= 0 else None

        return answerer

    async with among(tmp_path, chain, newcomer, {Topic.BUCKETS: once}) as (_, _, (serving,)):
        await until(lambda: serving.asked.count(Topic.BUCKETS) > 2)
    held = len(newcomer.snapshot.held())
    newcomer.close()
    again = Newcomer(tmp_path / "newcomer", chain.genesis, chain)
    seen: list[int] = []

    def counted(said: bytes) -> bytes:
        seen.extend(piece.index for piece in BUCKETS_DECODER.decode(said).pieces)
        return said

    async with among(tmp_path, chain, again, {Topic.BUCKETS: changed(counted)}):
        await until(lambda: is_there(again, chain))

    assert 0 < held < 4096
    assert len(seen) == 4096 - held
    assert again.ledger.state.root() == chain.ledger.state.root()
    again.close()


async def test_where_no_state_can_be_had_blocks_are_fetched_in_the_end(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    terms = Terms(gap_min=5, snapshot_gap=20, again_seconds=0.01)
    empty = {Topic.SNAPSHOTS: offers_only}
    async with among(tmp_path, chain, newcomer, empty, terms=terms):
        await until(lambda: is_there(newcomer, chain))

    assert newcomer.adopted == []
    assert newcomer.why[:3] == [f"fetching the state at height {HEIGHT}"] * 3
    assert newcomer.why[3:] == [f"executing blocks up to height {HEIGHT}"]


# By blocks.


async def test_an_archive_executes_every_block(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    both = once(asyncio.Barrier(2).wait, Topic.BLOCKS)
    async with among(tmp_path, chain, newcomer, both, both, terms=BY_BLOCKS) as (_, _, two):
        await until(lambda: newcomer.went_on == 1)

    ledger = newcomer.ledger
    assert (ledger.tip, ledger.state.root()) == (chain.ledger.tip, chain.ledger.state.root())
    assert newcomer.adopted == []
    assert ledger.finalized_block(Height(7)) == chain.ledger.finalized_block(Height(7))
    assert {Topic.BLOCKS in one.asked for one in two} == {True}


async def test_blocks_survive_a_power_cut_before_anything_is_signed_on_top_of_them(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    async with among(tmp_path, chain, newcomer, HONEST, terms=BY_BLOCKS):
        await until(lambda: newcomer.went_on == 1)

    # A power cut takes the write-ahead log; the file itself has everything.
    shutil.copy(tmp_path / "newcomer" / "chain.db", tmp_path / "left.db")
    left = SqliteChainStore.open(tmp_path / "left.db", chain.ledger.root.chain_id)
    assert left.tip() == (HEIGHT, block_id(chain.ledger.tip))
    left.close()


BLOCK_LIES: Mapping[str, Mapping[Topic, Lie]] = {
    "blocks": {Topic.BLOCKS: changed(forge_blocks)},
    "nonsense for blocks": {Topic.BLOCKS: instead(nonsense)},
    "epochs": {Topic.EPOCHS: changed(forge_proof)},
}


@pytest.mark.parametrize("lies", BLOCK_LIES.values(), ids=BLOCK_LIES.keys())
async def test_a_liar_is_blamed_and_blocks_come_from_others(
    lies: Mapping[Topic, Lie], chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    is_blamed = asyncio.Event()
    honest = once(is_blamed.wait, Topic.BLOCKS)
    async with among(tmp_path, chain, newcomer, lies, honest, terms=BY_BLOCKS) as (network, _, _):
        await until(lambda: liars(network) == {OTHERS[0].key})
        is_blamed.set()
        await until(lambda: is_there(newcomer, chain))

        assert liars(network) == {OTHERS[0].key}


async def test_a_header_that_nobody_signed_moves_nothing(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    lies = {Topic.FINALIZED: changed(forge_newest), Topic.EPOCHS: instead(nothing)}
    async with among(tmp_path, chain, newcomer, lies, terms=BY_BLOCKS) as (_, _, (one,)):
        await until(lambda: Topic.FINALIZED in one.asked)
        await until(lambda: newcomer.ledger.height == 0)

    assert newcomer.paused == newcomer.went_on == 0


async def test_who_has_pruned_its_blocks_is_no_help(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pruned = {Topic.BLOCKS: instead(nothing)}
    async with among(tmp_path, chain, newcomer, pruned, terms=BY_BLOCKS):
        await until(lambda: "no peer has the blocks from height 1 on" in caplog.text)
        await until(lambda: newcomer.went_on == 1)

    assert newcomer.ledger.height == 0


async def test_a_gap_of_which_nobody_has_kept_the_blocks_is_skipped_however_short_it_is(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    pruned = {Topic.BLOCKS: instead(nothing)}
    terms = Terms(gap_min=5, snapshot_gap=HEIGHT, again_seconds=0.01)
    async with among(tmp_path, chain, newcomer, pruned, terms=terms):
        await until(lambda: newcomer.adopted == [HEIGHT])

    assert is_there(newcomer, chain)


async def test_a_short_gap_is_left_to_the_agreement(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    terms = Terms(gap_min=HEIGHT)
    async with among(tmp_path, chain, newcomer, HONEST, terms=terms) as (network, _, (one,)):
        await until(lambda: any(peer.height == HEIGHT for peer in network.peers()))
        await until(lambda: not newcomer.paused)

        assert one.asked == []
