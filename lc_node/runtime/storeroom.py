"""What a node keeps on its disk, opened together and closed together."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.adapters.sqlite_snapshot_store import SqliteSnapshotStore
from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.adapters.sqlite_work_store import SqliteWorkStore
from lc_node.chain.genesis import Genesis, chain_id
from lc_node.chain.types import ByteCount, Epoch
from lc_node.ports.keystore import Keystore
from lc_node.runtime.config import StorageConfig
from lc_node.runtime.home import Home
from lc_node.runtime.ledger import Ledger

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """The stores of one node; whoever opened them closes them."""

    votes: SqliteVoteStore
    chain: SqliteChainStore
    snapshot: SqliteSnapshotStore
    work: SqliteWorkStore
    blobs: DirectoryBlobStore
    ledger: Ledger


def open_stores(
    home: Home, genesis: Genesis, keystore: Keystore, storage: StorageConfig, opened: ExitStack
) -> Stores:
    """Open all of them, to be closed by ``opened``.

    Raises:
        LearningChainError: one subclass a cause: a home in use, a full disk, another chain's store ...
    """
    had_votes = home.votes_path.exists()
    votes = SqliteVoteStore.open(home.votes_path)
    opened.callback(votes.close)
    chain = SqliteChainStore.open(home.chain_path, chain_id(genesis))
    opened.callback(chain.close)
    snapshot = SqliteSnapshotStore(home.snapshot_path)
    opened.callback(snapshot.close)
    work = SqliteWorkStore(home.work_path)
    opened.callback(work.close)
    blobs = DirectoryBlobStore(
        home.blobs_path,
        bytes_max=ByteCount(storage.blobs_bytes_max),
        disk_reserve=ByteCount(storage.disk_reserve_bytes),
    )
    links = home.links(keystore)
    ledger = Ledger(genesis=genesis, store=chain, me=keystore.public_key, links=links)
    if not had_votes and ledger.height:
        votes.sign_from(Epoch(ledger.state.meta.epoch + 1))
        _log.error("%s is lost: without it this key votes no more in this epoch", home.votes_path)
    return Stores(
        votes=votes, chain=chain, snapshot=snapshot, work=work, blobs=blobs, ledger=ledger
    )
