"""chain.sync: a newcomer's blocks a second against applying alone, and its snapshot against a bare copy."""

import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Final

from bench.bench_chain_apply import Chain, apply_all
from bench.harness import PAIRS_MIN, Measured, Target, measure_pairs
from bench.signed_chain import SignedChain
from bench.two_nodes import two_nodes
from lc_node.adapters.sqlite_chain_store import SqliteChainStore
from lc_node.adapters.sqlite_snapshot_store import SqliteSnapshotStore
from lc_node.adapters.sqlite_vote_store import SqliteVoteStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.bucket import Bucket
from lc_node.chain.codec import encode
from lc_node.chain.commitment import BUCKETS
from lc_node.chain.crypto import verify
from lc_node.chain.types import ByteCount, Height, PublicKey
from lc_node.consensus import library
from lc_node.consensus.block_plan import GET_BLOCKS_DECODER
from lc_node.consensus.messages import GetBlocks
from lc_node.consensus.setting import Setting
from lc_node.consensus.validator_set import ValidatorSet
from lc_node.consensus.way import Way
from lc_node.runtime.answers import Answers
from lc_node.runtime.block_download import BlockDownload
from lc_node.runtime.catch_up import CatchUp, Surroundings, Terms
from lc_node.runtime.inquirer import Inquirer
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.network import Network
from lc_node.runtime.questions import PeerSilent
from lc_node.runtime.shelf import Shelf
from lc_node.runtime.witness import Witness
from lc_node.wire.score import Offence
from lc_node.wire.snapshot import BUCKETS_DECODER, WANTED_MAX, GetBuckets, GetOffers, Wanted
from lc_node.wire.topics import Topic

BLOCKS: Final = 100_000
SENDERS: Final = 1_000
FULL: Final = 100
"""Blocks in which every sender gives a credit to a new account: 100,000 accounts."""
REPLAYED: Final = 10
REPLAY: Final = Target(name="chain.sync.blocks", unit="transfers/CPU-s", limit=0.8, at_least=True)
_ATTEMPTS: Final = 5
SNAPSHOT: Final = Target(name="chain.sync.snapshot", unit="s", limit=3, at_least=False)


def run() -> list[Measured]:
    """Measure, on one chain of 100,000 blocks and as many accounts."""
    with tempfile.TemporaryDirectory() as folder:
        chain = SignedChain(Path(folder) / "chain.db", senders=SENDERS)
        chain.grow(FULL, is_full=True)
        chain.grow(BLOCKS - FULL)
        with closing(chain.store):
            return measure(chain, Path(folder))


def measure(chain: SignedChain, folder: Path) -> list[Measured]:
    """Measure on a chain whose first blocks are full."""
    replayed = _replayed(chain)
    answers = dict(_answers(chain.ledger))
    fresh = _folders(folder)
    return [
        measure_pairs(
            REPLAY,
            lambda: replay(chain, answers, len(replayed.transactions)),
            lambda: apply_all(replayed),
        ),
        measure_pairs(
            SNAPSHOT,
            lambda: asyncio.run(take_snapshot(chain, next(fresh))),
            lambda: asyncio.run(copy(chain, next(fresh))),
            pairs=PAIRS_MIN,
        ),
    ]


def _folders(parent: Path) -> Iterator[Path]:
    """Yield one empty folder after the other."""
    for number in itertools.count():
        folder = parent / f"newcomer {number}"
        folder.mkdir()
        yield folder


# By blocks.


class _Told:
    """A peer whose answers are encoded already: what is measured is the newcomer alone."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = answers

    async def request(self, to: PublicKey, topic: int, payload: bytes) -> bytes | None:
        del to, topic
        return self._answers[payload]

    def offend(self, peer: PublicKey, offence: Offence) -> None:
        raise AssertionError((peer, offence))


def replay(chain: SignedChain, answers: Mapping[bytes, bytes], transfers: int) -> float:
    """Return transfers per CPU second of a newcomer that fetches and executes blocks."""
    with tempfile.TemporaryDirectory() as folder, _newcomer(chain, Path(folder)) as ledger:
        peers = Inquirer(_Told(answers))
        download = BlockDownload(Height(REPLAYED), _way(chain), peers, ledger)
        since = time.thread_time()
        is_there = asyncio.run(download.run([PublicKey(bytes(32))]))
        spent = time.thread_time() - since
        assert is_there, "every answer is here"
    return transfers / spent


def _answers(ledger: Ledger) -> Iterator[tuple[bytes, bytes]]:
    """Yield each question for the blocks that are replayed, with its answer."""
    first = Height(1)
    while first <= REPLAYED:
        question = encode(GetBlocks(first=first, below=Height(REPLAYED + 1)))
        found = library.finalized_blocks(GET_BLOCKS_DECODER.decode(question), ledger)
        assert found is not None, "they are kept"
        yield question, encode(found)
        first = Height(first + len(found.blocks))


def _replayed(chain: SignedChain) -> Chain:
    blocks = [chain.ledger.finalized_block(Height(h)) for h in range(1, REPLAYED + 1)]
    kept = [block for block in blocks if block is not None]
    return Chain(
        genesis=chain.genesis,
        proposer=chain.validators[0],
        links=chain.links,
        blocks=tuple(encode(block) for block in kept),
        transactions=tuple(signed for block in kept for signed in block.transactions),
    )


def _way(chain: SignedChain) -> Way:
    ledger = chain.ledger
    members = {key.public_key: chain.weight for key in chain.validators}
    return Way(
        Setting(
            chain_id=ledger.root.chain_id,
            epoch=ledger.root.epoch,
            validators=ValidatorSet(members),
            root=ledger.root,
            verifier=verify,
            epoch_heights=ledger.params.epoch_heights,
        )
    )


# By a snapshot, over real sockets.


async def take_snapshot(chain: SignedChain, folder: Path) -> float:
    """Return how long a newcomer takes from knowing a peer to standing on the state."""
    with _newcomer(chain, folder) as ledger, _stores(folder) as (votes, snapshot):
        async with _served(chain, folder, ledger) as network:
            surroundings = Surroundings(
                ledger=ledger,
                network=network,
                agreement=_Nobody(),
                go_on=lambda: None,
                on_adopted=lambda: None,
                votes=votes,
                store=snapshot,
            )
            since = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                task = group.create_task(CatchUp(surroundings, Terms()).run())
                while ledger.height < chain.ledger.height:  # noqa: ASYNC110  # nobody signals it
                    await asyncio.sleep(0.005)
                spent = time.perf_counter() - since
                task.cancel()
        assert ledger.state.root() == chain.ledger.state.root()
    return spent


async def copy(chain: SignedChain, folder: Path) -> float:
    """Return how long the bare state takes over the same connection into a table of a database."""
    questions = _questions(chain.ledger)
    with _newcomer(chain, folder) as ledger:
        async with _served(chain, folder, ledger) as network:
            (peer,) = network.connected
            since = time.perf_counter()
            told = [await network.request(peer, Topic.BUCKETS, encode(one)) for one in questions]
            _write(folder / "copy.db", [said for said in told if said is not None])
            return time.perf_counter() - since


def _questions(ledger: Ledger) -> Sequence[GetBuckets]:
    leaves = ledger.state.commitment().leaves()
    wanted = [Wanted(index=index, leaf=leaf) for index, leaf in enumerate(leaves)]  # type: ignore[arg-type]  # digests
    return [
        GetBuckets(wanted=tuple(wanted[first : first + WANTED_MAX]), offset=ByteCount(0))
        for first in range(0, BUCKETS, WANTED_MAX)
    ]


def _write(path: Path, answers: Sequence[bytes]) -> None:
    """Write entries to a table and see them durable, as a copying program would."""
    pieces = [piece for said in answers for piece in BUCKETS_DECODER.decode(said).pieces]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE state (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
        database.execute("BEGIN")
        for piece in pieces:
            entries = Bucket.load(piece.data).items()
            database.executemany("INSERT INTO state VALUES (?, ?)", entries)
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(FULL)").fetchall()


@asynccontextmanager
async def _served(chain: SignedChain, folder: Path, ledger: Ledger) -> AsyncIterator[Network]:
    """Yield a newcomer's network, connected to a node that serves the chain."""
    clock = SystemClock()
    answerers = {
        **Witness(chain.ledger, clock).answerers(),
        **Shelf(chain.ledger, clock).answerers(),
    }
    heights = (lambda: chain.ledger.height, lambda: ledger.height)
    async with two_nodes(folder, Answers(answerers), heights) as network:
        while [one.height for one in network.peers()] != [chain.ledger.height]:  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.005)
        await _warmed(network)
        yield network


async def _warmed(network: Network) -> None:
    """Return once questions are answered: an answer is lost while the server's side is not up yet."""
    (peer,) = network.connected
    for _ in range(_ATTEMPTS):
        try:
            await network.request(peer, Topic.SNAPSHOTS, encode(GetOffers()))
        except PeerSilent:
            continue
        return


class _Nobody:
    """No agreement runs beside it."""

    def pause(self, why: Callable[[], str]) -> None:
        """Take no part."""
        del why


@contextmanager
def _newcomer(chain: SignedChain, folder: Path) -> Iterator[Ledger]:
    store = SqliteChainStore.open(folder / "chain.db", chain.ledger.root.chain_id)
    with closing(store):
        me = chain.validators[0].public_key
        yield Ledger(genesis=chain.genesis, store=store, me=me, links=chain.links)


@contextmanager
def _stores(folder: Path) -> Iterator[tuple[SqliteVoteStore, SqliteSnapshotStore]]:
    with (
        closing(SqliteVoteStore.open(folder / "votes.db")) as votes,
        closing(SqliteSnapshotStore(folder / "snapshot.db")) as snapshot,
    ):
        yield votes, snapshot
