"""Real nodes of a long chain bring a newcomer to the tip by a snapshot; an archive executes every block."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Final

import pytest

from bench.signed_chain import finalize
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.chain.genesis import chain_id
from lc_node.chain.types import Height, Millis
from lc_node.runtime.devnet import Devnet, Place, Role
from lc_node.runtime.ledger import Ledger
from tests.e2e.graphs import living, patient_client, wait_for_height
from tests.e2e.ledgers import final_state

pytestmark = pytest.mark.slow

VALIDATOR: Final = "validator"
HELPER: Final = "helper"
NEWCOMER: Final = "newcomer"
ARCHIVE: Final = "archive"
ROLES: Final = (
    Role(name=VALIDATOR, bonded=100, votes=True),
    Role(name=HELPER),
    Role(name=NEWCOMER),
    Role(name=ARCHIVE),
)
HEIGHT: Final = 1_300
"""More than the 1,000 blocks up to which blocks are fetched, and two ends of epochs."""
PATIENCE_SECONDS: Final = 240.0


class Old(Devnet):
    """A devnet of which two nodes have a long past."""

    def __init__(self, places: Sequence[Place]) -> None:
        """Give the validator its chain, and another node a copy of it."""
        super().__init__(places)
        validator, helper = self.place(VALIDATOR).home, self.place(HELPER).home
        grow(self.place(VALIDATOR))
        shutil.copy(validator.chain_path, helper.chain_path)
        for home in (validator, helper):
            SqliteVoteStore.open(home.votes_path).close()  # the record of their votes is whole
        config = self.place(ARCHIVE).home.config_path
        config.write_text(config.read_text() + "\n[storage]\narchive = true\n")


def grow(place: Place) -> None:
    """Make the only validator's chain long, a millisecond a block."""
    home = place.home
    keystore, genesis = home.keystore(None), home.genesis()
    with closing(SqliteChainStore.open(home.chain_path, chain_id(genesis))) as store:
        links = home.links(keystore)
        ledger = Ledger(genesis=genesis, store=store, me=keystore.public_key, links=links)
        while ledger.height < HEIGHT:
            finalize(ledger, (keystore,), Millis(ledger.tip.time + 1))
        store.secure()


@pytest.fixture(scope="module")
def joined() -> Iterator[Devnet]:
    """Return a devnet that has stopped after all its nodes stood where the validator does."""
    with living(ROLES, Old) as devnet:
        for name in (NEWCOMER, ARCHIVE):
            with patient_client(devnet, name) as client:
                wait_for_height(client, HEIGHT + 1, PATIENCE_SECONDS)
        devnet.stop()
        yield devnet


def first(devnet: Devnet, name: str) -> Height:
    """Return from which height on a node has every block."""
    home = devnet.place(name).home
    with closing(SqliteChainStore.open(home.chain_path, chain_id(home.genesis()))) as store:
        return store.first()


def test_a_newcomer_has_the_state_without_the_blocks_before_it(joined: Devnet) -> None:
    state = final_state(joined.place(NEWCOMER))

    assert state.meta.height > HEIGHT
    assert first(joined, NEWCOMER) == HEIGHT


def test_an_archive_has_every_block(joined: Devnet) -> None:
    state = final_state(joined.place(ARCHIVE))

    assert state.meta.height > HEIGHT
    assert first(joined, ARCHIVE) == 1
