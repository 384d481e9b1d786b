"""A job service among the people of a market: real rules and stores, a scripted sandbox and graph."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.optuna_search import OptunaSearch
from lc_node.adapters.sqlite_work_store import SqliteWorkStore
from lc_node.chain.job import Job
from lc_node.chain.state import State
from lc_node.chain.transactions import Body, ImageReference, ModelFormat, Resources
from lc_node.chain.types import ByteCount, Height, JobId, MicroCredits, Millis, MillisSpan, Seconds
from lc_node.runtime.desk import Desk
from lc_node.runtime.job_service import JobService
from lc_node.runtime.office import Decide, Office
from lc_node.runtime.salts import Salts
from lc_node.runtime.workshop import Tools, Workshop
from lc_node.worker.duties import next_actions
from lc_node.worker.policy import JobPolicy
from tests.chain.market import CHAIN, SPEC, Market, key
from tests.fakes import FixedSurroundings, Graph, ScriptedSandbox, SketchedImages
from tests.peer_nodes import until

POLICY = JobPolicy(
    bounty_min=MicroCredits(0),
    time_left_min=MillisSpan(0),
    trial_seconds_max=Seconds(3_600),
    image_bytes_max=ByteCount(10**9),
    jobs_at_once_max=1,
    offer=Resources(
        millicpus=8_000, memory_bytes=ByteCount(2**40), disk_bytes=ByteCount(2**40), gpus=0
    ),
    formats=frozenset(ModelFormat),
)
BLOBS_MAX = ByteCount(10**6)


@dataclass
class MarketClock:
    """The time of the market's last block; who sleeps looks again and again."""

    market: Market

    def now(self) -> Millis:
        return self.market.state.meta.time

    async def sleep_until(self, at: Millis) -> None:
        while self.now() < at:  # noqa: ASYNC110  # the test moves the market's time
            await asyncio.sleep(0.002)


@dataclass
class Worker:
    """One node's job service; ``service`` lives while ``working`` does."""

    folder: Path
    market: Market
    me: str
    policy: JobPolicy | None = POLICY
    decide: Decide = next_actions
    blobs: DirectoryBlobStore = field(init=False)
    images: SketchedImages = field(init=False)
    graph: Graph = field(init=False)
    sandbox: ScriptedSandbox = field(default_factory=ScriptedSandbox)
    service: JobService = field(init=False)
    work: SqliteWorkStore = field(init=False)
    workshop: Workshop = field(init=False)
    surroundings: FixedSurroundings = field(default_factory=FixedSurroundings)
    sent: list[Body] = field(default_factory=list)
    refusing: bool = False
    """Sends fail with a surprise."""

    def __post_init__(self) -> None:
        self.blobs = DirectoryBlobStore(self.folder / "blobs", bytes_max=BLOBS_MAX)
        self.images = SketchedImages(self.blobs)
        self.graph = Graph(self.blobs, self.folder)
        self.graph.offer(SketchedImages.LAYER)
        self.boot()

    @property
    def state(self) -> State:
        return self.market.state

    def boot(self) -> None:
        """Make the service anew over the same folder, as after a restart."""
        clock = MarketClock(self.market)
        self.work = SqliteWorkStore(self.folder / "work.db")
        tools = Tools(
            sandbox=self.sandbox,
            images=self.images,
            blobs=self.blobs,
            fetcher=self.graph,
            search=lambda _job, _node: OptunaSearch(seed=1),
            clock=clock,
            node=key(self.me),
            folder=self.folder / "jobs",
        )
        self.workshop = Workshop(tools)
        office = Office(
            me=key(self.me),
            chain_id=CHAIN,
            chain=self,
            params=self.market.params,
            send=self.send,
            workshop=self.workshop,
            work=self.work,
            salts=Salts(b"seed", CHAIN),
            clock=clock,
            surroundings=self.surroundings,
            decide=self.decide,
            retry_seconds=0.01,
        )
        self.service = JobService(office, self.policy)

    async def send(self, body: Body) -> Height:
        """Let a transaction become final at once."""
        await asyncio.sleep(0)
        if not self.refusing:
            self.market.send(self.me, body)
        self.sent.append(body)
        if self.refusing:
            raise LookupError("a surprise")
        return self.state.meta.height

    def post(self, image: bytes = b"image", submitter: str = "sue") -> JobId:
        """Post a job whose image the graph has."""
        reference = ImageReference(
            manifest=self.graph.offer(image),
            total_bytes=ByteCount(1_000),
            references=(),
            on_graph=True,
        )
        return self.market.post(submitter, replace(SPEC, image=reference))

    def job(self, job: JobId) -> Job:
        return self.market.job(job)

    def desk(self, job: JobId) -> Desk:
        return self.service.desks[job]

    def kinds(self) -> list[str]:
        """Return what was sent, by name."""
        return [type(body).__name__ for body in self.sent]

    def pins(self) -> set[bytes]:
        return set(self.blobs._pins)


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    """Let a service work until the body ends."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(worker.service.run())
        try:
            await asyncio.sleep(0)
            yield worker
        finally:
            task.cancel()
    worker.work.close()


def best_loss(worker: Worker, job: JobId) -> int | None:
    return next((bid.loss for bid in worker.job(job).bids), None)


async def until_bid(worker: Worker, job: JobId, loss: int = 250_000_000) -> None:
    await until(lambda: best_loss(worker, job) == loss)
