"""Who catches up signs nothing where it may have voted in a life of which it has no record."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bench.signed_chain import SignedChain
from lc_node.chain.types import Height, PublicKey
from lc_node.chain.votes import VoteKind
from lc_node.runtime.catch_up import Standing, Terms
from lc_node.runtime.network import Network
from lc_node.wire.score import Offence
from tests.adapters.test_sqlite_vote_store import vote
from tests.peer_nodes import until
from tests.runtime.sync_stage import (
    BY_BLOCKS,
    EPOCH_HEIGHTS,
    HEIGHT,
    HONEST,
    TERMS,
    Newcomer,
    among,
    grown_chain,
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> SignedChain:
    return grown_chain(tmp_path_factory.mktemp("chain") / "chain.db")


@pytest.fixture
def newcomer(tmp_path: Path, chain: SignedChain) -> Iterator[Newcomer]:
    made = Newcomer(tmp_path / "newcomer", chain.genesis, chain)
    yield made
    made.close()


@pytest.mark.parametrize("terms", [TERMS, BY_BLOCKS], ids=["snapshot", "blocks"])
async def test_a_key_without_a_record_is_silent_in_the_epochs_that_it_has_missed(
    terms: Terms, chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    async with among(tmp_path, chain, newcomer, HONEST, terms=terms):
        await until(lambda: newcomer.went_on == 1)

    assert newcomer.votes.signs_from() == HEIGHT // EPOCH_HEIGHTS + 1


class BegunLate:
    """Peers who are met when they have only begun themselves."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._is_met = False

    def peers(self) -> Sequence[Standing]:
        peers, is_met, self._is_met = self._network.peers(), self._is_met, True
        return peers if is_met else [replace(peer, height=Height(0)) for peer in peers]

    async def request(self, to: PublicKey, topic: int, payload: bytes) -> bytes | None:
        return await self._network.request(to, topic, payload)

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        self._network.offend(peer, offence)


async def test_peers_that_are_no_further_do_not_make_a_record_whole(
    chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    async with among(tmp_path, chain, newcomer, HONEST, seen=BegunLate):
        await until(lambda: newcomer.went_on == 1)

    assert newcomer.votes.signs_from() == HEIGHT // EPOCH_HEIGHTS + 1


@pytest.mark.parametrize("kind", [VoteKind.NOTARIZE, VoteKind.NULLIFY])
async def test_votes_that_anybody_signs_who_has_lost_the_others_do_not_make_a_record_whole(
    kind: VoteKind, chain: SignedChain, newcomer: Newcomer, tmp_path: Path
) -> None:
    vote(newcomer.votes, 1, kind=kind)
    async with among(tmp_path, chain, newcomer, HONEST):
        await until(lambda: newcomer.went_on == 1)

    assert newcomer.votes.signs_from() == HEIGHT // EPOCH_HEIGHTS + 1


async def test_a_key_with_its_record_may_sign_at_once(chain: SignedChain, tmp_path: Path) -> None:
    newcomer = Newcomer(tmp_path / "newcomer", chain.genesis, chain)
    vote(newcomer.votes, 1, kind=VoteKind.FINALIZE)
    async with among(tmp_path, chain, newcomer, HONEST):
        await until(lambda: newcomer.went_on == 1)

    assert newcomer.votes.signs_from() == 0
    newcomer.close()
