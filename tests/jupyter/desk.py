"""A node that notes what a notebook asks of it, behind a real door; its answers can be arranged."""

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.api import calls, schema, schema_images, schema_jobs
from lc_node.api.errors import Refused, UnknownThing
from lc_node.oci.chunks import CHUNK_BYTES, chunk_digest, chunk_root
from tests.api.background import Background
from tests.api.sample_service import (
    JOB,
    PRICE,
    RECEIPT,
    REQUEST,
    SampleService,
    event,
    summary,
)

WINNER = schema.Address("lc1winner")

GOOD_CHECK = schema_jobs.CheckReport(
    problem=schema_jobs.CheckProblem.NONE,
    text="",
    log_tail="",
    loss=schema.NanoLoss(500_000_000),
    losses=16,
    model_bytes=2048,
    first_model_ms=1500,
    evaluate_ms=4000,
    evaluate_seconds=20,
)


class DeskService(SampleService):
    """Posts what it is asked to post, and keeps it."""

    def __init__(self, blobs: DirectoryBlobStore, folder: Path) -> None:
        super().__init__(blobs, folder)
        self.posted: list[schema_jobs.JobRequest] = []
        self.asked: list[object] = []
        self.asked_jobs = calls.GetJobs()
        self.balance = 100_000_000
        self.report = GOOD_CHECK
        self.stories: dict[schema.JobId, schema_jobs.JobStory] = {}
        self.peers_now: tuple[schema.Peer, ...] = ()
        self.changes: tuple[schema.CreditChange, ...] = ()
        self.model_format = schema.ModelFormat.RAW
        self.images_now: tuple[schema_images.ImageView, ...] = ()
        self.note = ""
        self.unavailable = ""
        self.prediction: schema_jobs.Prediction | None = None
        self.posted_by_me = True

    async def jobs(self, call: calls.GetJobs) -> tuple[schema_jobs.JobSummary, ...]:
        self.asked_jobs = call
        return await super().jobs(call)

    async def peers(self) -> tuple[schema.Peer, ...]:
        return self.peers_now

    async def images(self) -> tuple[schema_images.ImageView, ...]:
        return self.images_now

    async def wallet(self, call: calls.GetWallet) -> schema.Wallet:
        return replace(await super().wallet(call), changes=self.changes)

    async def price(self, call: calls.GetPrice) -> schema_jobs.Price:
        bounty = call.request.bounty
        return replace(
            PRICE,
            note=self.note,
            bounty=bounty,
            balance=schema.MicroCredits(self.balance),
            balance_after=self.balance - bounty - PRICE.fee,
        )

    async def check(self, call: calls.Check) -> schema_jobs.CheckReport:
        self.asked.append(call)
        return self.report

    async def submit(self, call: calls.Submit) -> schema_jobs.Submitted:
        self.posted.append(call.request)
        return schema_jobs.Submitted(
            job=JOB,
            height=7,
            time=schema.Millis(1_000),
            expiry=schema.Millis(601_000),
            price=PRICE,
        )

    async def job(self, call: calls.GetJob) -> schema_jobs.JobStory:
        self.when_asked()
        if call.job not in self.stories:
            message = f"no job {call.job[:8]} on this chain"
            raise UnknownThing("UnknownJob", message)
        return self.stories[call.job]

    async def top_up(self, call: calls.TopUp) -> schema.Receipt:
        self.asked.append(call)
        return RECEIPT

    async def extend(self, call: calls.Extend) -> schema.Receipt:
        self.asked.append(call)
        return RECEIPT

    async def cancel(self, call: calls.Cancel) -> schema.Receipt:
        if self.stories[call.job].bids:
            message = "the job has a bid: wait until it expires"
            raise Refused("HasBids", message)
        self.asked.append(call)
        return RECEIPT

    async def fetch_model(self, call: calls.FetchModel) -> schema_jobs.FetchedModel:
        if self.unavailable:
            raise Refused("BlobUnavailable", self.unavailable)
        bid = next(iter(self.stories[call.job].bids), None)
        return replace(
            await super().fetch_model(call),
            model_format=self.model_format,
            bidder=WINNER,
            size=0 if bid is None else bid.model_bytes or 0,
            posted_by_me=self.posted_by_me,
        )

    async def predict(self, call: calls.Predict) -> schema_jobs.Prediction:
        echoed = await super().predict(call)
        return self.prediction or echoed

    def serve_model(self, path: Path, model_format: schema.ModelFormat) -> None:
        """Let a file be the winner's model, in every story that has a winner."""
        data = path.read_bytes()
        chunks = [data[at : at + CHUNK_BYTES] for at in range(0, len(data), CHUNK_BYTES)]
        self.model_path, self.model_format = path, model_format
        self.model_root = schema.Digest(chunk_root([chunk_digest(c) for c in chunks]).hex())
        bid = replace(
            bid_of(WINNER, 500_000_000),
            model=self.model_root,
            model_bytes=len(data),
            standing="confirmed",
        )
        for job, story in self.stories.items():
            if story.summary.winner == WINNER:
                request = replace(story.request, model_format=model_format)
                bids = (bid, *story.bids[1:])
                self.stories[job] = replace(story, bids=bids, request=request)


class Desk(Background):
    """A node in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, DeskService)

    @property
    def desk(self) -> DeskService:
        """What it was asked, and what it answers."""
        assert isinstance(self.service, DeskService)
        return self.service

    def tell(self, story: schema_jobs.JobStory) -> None:
        """Let a job have a story."""
        self.desk.stories[story.summary.job] = story


def story_of(
    phase: schema.Phase = schema.Phase.OPEN,
    *,
    bids: Sequence[schema_jobs.BidView] = (),
    events: Sequence[schema.Event] = (event("posted"),),
    job: schema.JobId = JOB,
    winner: schema.Address | None = None,
) -> schema_jobs.JobStory:
    """Return a job's story."""
    label = "strong" if winner is not None else ""
    return schema_jobs.JobStory(
        summary=replace(summary(job, phase), winner=winner, label=label),
        request=REQUEST,
        fee=PRICE.fee,
        rounds=0,
        candidate=None,
        committee_size=3,
        bids=tuple(bids),
        verdicts=(),
        events=tuple(events),
    )


def bid_of(
    bidder: str, loss: int, *, rank: int = 1, standing: str = "finalist", void: str = ""
) -> schema_jobs.BidView:
    """Return a bid; ``void`` says why it does not count."""
    return schema_jobs.BidView(
        bidder=schema.Address(bidder),
        loss=schema.NanoLoss(loss),
        time=schema.Millis(2_000),
        height=8,
        rank=rank,
        standing=standing,
        bond=schema.MicroCredits(1_500_000),
        opened=True,
        mine=False,
        void_code=void,
        void_text=void,
    )
