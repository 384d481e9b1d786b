"""What the owner is shown of the own credits and of jobs, out of the final state."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.adapters.system_clock import SystemClock
from lc_node.adapters.zmq_transport import TransportSettings, ZmqTransport
from lc_node.api import calls, schema
from lc_node.api.errors import UnknownThing
from lc_node.chain.genesis import chain_id
from lc_node.chain.params import CREDIT
from lc_node.chain.transactions import Bid, PostJob, transaction_id
from lc_node.chain.types import Digest, JobId, Millis, NanoLoss
from lc_node.runtime.desk import Desk
from lc_node.runtime.event_texts import address
from lc_node.runtime.hints import Origin
from lc_node.runtime.history import History
from lc_node.runtime.network import Network
from lc_node.runtime.reading import Reading, View
from lc_node.runtime.vitals import Vitals
from tests.chain.actors import ANNA, BERT, genesis, signed
from tests.chain.market import EXPIRES_IN, SPEC, Market
from tests.peer_nodes import CHAIN, people
from tests.runtime.small_chain import Members, finalize, ledger_at
from tests.runtime.work_bench import Worker


class Office:
    """Bert's reading calls on a chain where Bert posted a job and Anna bid on it."""

    def __init__(self, folder: Path) -> None:
        self.worker = Worker(folder, Market(["sue"]), "sue", policy=None)
        self.ledger = ledger_at(folder / "chain.db")
        post = PostJob(spec=replace(SPEC, expiry=Millis(self.ledger.tip.time + EXPIRES_IN)))
        posted = signed(BERT, post, chain_id=chain_id(genesis()))
        self.job = JobId(transaction_id(posted.transaction))
        finalize(self.ledger, posted)
        bid = Bid(job=self.job, loss=NanoLoss(7), commitment=Digest(bytes(32)))
        finalize(self.ledger, signed(ANNA, bid, chain_id=chain_id(genesis())))
        (who,) = people(1)
        clock = SystemClock()
        settings = TransportSettings(chain_id=CHAIN, signer=who.signer, keys=who.keys, peers=())
        self.transport = ZmqTransport(settings, clock)
        blobs = self.worker.blobs
        network = Network(
            me=BERT.public_key,
            transport=self.transport,
            clock=clock,
            blobs=blobs,
            height=lambda: self.ledger.height,
        )
        view = View(
            me=BERT.public_key,
            ledger=self.ledger,
            network=network,
            jobs=self.worker.service,
            history=History(self.ledger._store, BERT.public_key, lambda _event: None),
            blobs=blobs,
            blobs_bytes_max=blobs.bytes_max,
            clock=clock,
            home=folder,
            origin=lambda _peer: Origin.DIALED_IN,
            capabilities=lambda: None,
            sandbox_problem=lambda: "install bubblewrap",
            vitals=Vitals(
                me=BERT.public_key,
                ledger=self.ledger,
                network=network,
                votes=Members(self.ledger),
                clock=clock,
                home=folder,
            ),
        )
        self.reading = Reading(view)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path)
    yield office
    office.transport.close()


async def test_the_bonds_of_bidders_are_no_credits_of_the_submitters(office: Office) -> None:
    wallet = await office.reading.wallet(calls.GetWallet(changes_max=10))

    job = office.ledger.state.job(office.job)
    assert job is not None
    assert job.bids[0].bond > 0
    assert wallet.escrowed == 10 * CREDIT + job.fee_held
    assert wallet.balance + wallet.escrowed == 1_000 * CREDIT
    assert sum(change.amount for change in wallet.changes) == -wallet.escrowed


async def test_a_node_without_a_sandbox_or_peers_says_so(office: Office) -> None:
    status = await office.reading.status()

    assert (status.sync, status.height, status.jobs_open) == (schema.SyncState.ALONE, 2, 1)
    assert status.sandbox.problem == "install bubblewrap"
    assert not status.is_working


async def test_jobs_are_found_by_who_posted_them_their_phase_and_their_name(
    office: Office,
) -> None:
    async def found(**how: object) -> int:
        call = calls.GetJobs(**how)  # type: ignore[arg-type]  # whatever the test says
        return len(await office.reading.jobs(call))

    assert await found() == 1
    assert await found(mine=True) == 1
    assert await found(phases=(schema.Phase.SETTLED,)) == 0
    assert await found(prefix=office.job.hex()[:6]) == 1
    assert await found(prefix="zz") == 0


async def test_a_story_names_bids_with_their_times(office: Office) -> None:
    story = await office.reading.job(calls.GetJob(job=schema.JobId(office.job.hex())))

    (bid,) = story.bids
    assert (bid.bidder, bid.loss, bid.rank) == (address(ANNA.public_key), 7, 1)
    assert int(bid.time) == office.ledger.tip.time
    assert [event.code for event in story.events][:1] == ["posted"]


async def test_an_unknown_job_is_named(office: Office) -> None:
    with pytest.raises(UnknownThing):
        await office.reading.job(calls.GetJob(job=schema.JobId("00" * 32)))


async def test_a_job_whose_training_pauses_says_why(office: Office) -> None:
    desk = Desk(job=office.job, wanted=True, step="training", paused="it is night")
    office.worker.service._desks[office.job] = desk

    story = await office.reading.job(calls.GetJob(job=schema.JobId(office.job.hex())))
    assert story.summary.local == "training (paused: it is night)"


async def test_a_node_that_takes_no_jobs_says_why_at_a_glance(office: Office) -> None:
    assert "lc-node policy set --work" in (await office.reading.status()).no_jobs_now
