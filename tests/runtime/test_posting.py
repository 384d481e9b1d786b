"""The owner's wishes: priced before anything else, refused by name, answered when final."""

import asyncio
from pathlib import Path

import pytest

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.optuna_search import OptunaSearch
from lc_node.api import calls, schema, schema_jobs
from lc_node.api.errors import Refused, UnknownThing
from lc_node.chain.addresses import encode_address
from lc_node.chain.crypto import sha256
from lc_node.chain.errors import InsufficientBalance, LearningChainError
from lc_node.chain.errors_market import BountyTooSmall, ExpiryOutOfRange, UnknownJob
from lc_node.chain.genesis import chain_id
from lc_node.chain.params import CREDIT
from lc_node.chain.types import ByteCount
from lc_node.ports.images import ImageRefused
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.posting import Counter, Posting
from lc_node.runtime.sender import Sender
from lc_node.runtime.workshop import Tools, Workshop
from tests.chain.actors import ANNA, BERT, genesis
from tests.fakes import Graph, ScriptedSandbox, SketchedImages
from tests.runtime.bench import START, HandClock
from tests.runtime.small_chain import balance, finalize, ledger_at


class Desk:
    """Bert's posting calls, on a chain that takes every transaction at once."""

    def __init__(self, folder: Path) -> None:
        self.ledger: Ledger = ledger_at(folder / "chain.db")
        self.blobs = DirectoryBlobStore(folder / "blobs", bytes_max=ByteCount(10**6))
        self.images = SketchedImages(self.blobs)
        self.sandbox_problem = ""
        clock = HandClock()
        clock.time = START + 1
        sender = Sender(
            signer=BERT,
            chain_id=chain_id(genesis()),
            ledger=self.ledger,
            gossip=self,
            clock=clock,
            on_work=self.on_work,
        )
        tools = Tools(
            sandbox=ScriptedSandbox(),
            images=self.images,
            blobs=self.blobs,
            fetcher=Graph(self.blobs, folder),
            search=lambda _job, _node: OptunaSearch(seed=1),
            clock=clock,
            node=BERT.public_key,
            folder=folder / "jobs",
        )
        counter = Counter(
            me=BERT.public_key,
            ledger=self.ledger,
            sender=sender,
            images=self.images,
            blobs=self.blobs,
            workshop=Workshop(tools),
            clock=clock,
            sandbox_problem=lambda: self.sandbox_problem,
        )
        self.posting = Posting(counter)

    def put_image(self) -> None:
        self.blobs.put_bytes(b"image")
        self.blobs.put_bytes(SketchedImages.LAYER)

    def broadcast_transaction(self, raw: bytes) -> int:
        return len(raw) > 0

    def on_work(self) -> None:
        asyncio.get_running_loop().call_soon(finalize, self.ledger)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def request(**changed: object) -> schema_jobs.JobRequest:
    wish: dict[str, object] = {
        "title": "digits",
        "image": schema_jobs.ImageChoice(
            manifest=schema.Digest(sha256(b"image").hex()), total_bytes=1_000
        ),
        "bounty": schema.MicroCredits(10 * CREDIT),
        "expiry_seconds": 60,
        "model_format": schema.ModelFormat.SKOPS,
    }
    return schema_jobs.JobRequest(**{**wish, **changed})  # type: ignore[arg-type]  # whatever a test says


async def test_a_price_needs_no_image(desk: Desk) -> None:
    price = await desk.posting.price(calls.GetPrice(request=request()))

    assert price.bounty == 10 * CREDIT
    assert price.balance_after == price.balance - price.bounty - price.fee
    assert price.note == ""


async def test_the_price_of_a_job_with_gpus_says_that_nobody_offers_any(desk: Desk) -> None:
    resources = schema.Resources(millicpus=1_000, memory_bytes=1 << 28, disk_bytes=1 << 20, gpus=1)

    price = await desk.posting.price(calls.GetPrice(request=request(resources=resources)))

    assert "No bonded node of this graph offers 1 GPUs" in price.note
    assert "Without --gpus it runs on processors" in price.note


async def test_the_price_of_a_pickle_says_that_nobody_can_vouch_for_it(desk: Desk) -> None:
    wish = request(model_format=schema.ModelFormat.PICKLE)

    price = await desk.posting.price(calls.GetPrice(request=wish))

    assert "unverified" in price.note


@pytest.mark.parametrize("contract", ["stdout/1", "stdout/1:negate"])
async def test_the_price_of_an_image_that_knows_nothing_of_us_says_so_too(
    desk: Desk, contract: str
) -> None:
    price = await desk.posting.price(calls.GetPrice(request=request(contract=contract)))

    assert "the label will be 'unverified', whatever the model format" in price.note


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"bounty": schema.MicroCredits(1)}, BountyTooSmall),
        ({"expiry_seconds": 1}, ExpiryOutOfRange),
    ],
)
async def test_what_the_chain_would_refuse_is_refused_by_the_same_name_before_the_image(
    desk: Desk, changed: dict[str, object], cause: type[LearningChainError]
) -> None:
    with pytest.raises(cause):
        await desk.posting.submit(calls.Submit(request=request(**changed)))


async def test_a_balance_too_low_is_refused_before_the_image(desk: Desk) -> None:
    wish = request(bounty=schema.MicroCredits(2_000 * CREDIT))

    with pytest.raises(Refused, match="lower the bounty"):
        await desk.posting.submit(calls.Submit(request=wish))


async def test_without_its_manifest_a_job_is_not_posted(desk: Desk) -> None:
    with pytest.raises(Refused, match="manifest is missing"):
        await desk.posting.submit(calls.Submit(request=request()))


async def test_without_a_layer_a_job_is_not_posted(desk: Desk) -> None:
    desk.blobs.put_bytes(b"image")

    with pytest.raises(Refused, match=sha256(SketchedImages.LAYER).hex()):
        await desk.posting.submit(calls.Submit(request=request()))


async def test_an_image_larger_than_declared_is_not_posted(desk: Desk) -> None:
    desk.put_image()
    small = schema_jobs.ImageChoice(manifest=schema.Digest(sha256(b"image").hex()), total_bytes=1)

    with pytest.raises(ImageRefused):
        await desk.posting.submit(calls.Submit(request=request(image=small)))


async def test_a_posted_job_is_final_when_the_answer_comes(desk: Desk) -> None:
    desk.put_image()

    posted = await desk.posting.submit(calls.Submit(request=request()))

    (job,) = desk.ledger.state.jobs()
    assert (str(posted.job), posted.height) == (job.id.hex(), 1)
    assert int(posted.expiry) == job.expiry


async def test_the_same_wish_twice_is_two_jobs(desk: Desk) -> None:
    desk.put_image()

    for _ in range(2):
        await desk.posting.submit(calls.Submit(request=request()))

    assert len(list(desk.ledger.state.jobs())) == 2


async def test_two_wishes_at_the_same_time_are_two_jobs(desk: Desk) -> None:
    desk.put_image()

    async with asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(desk.posting.submit(calls.Submit(request=request())))

    assert len(list(desk.ledger.state.jobs())) == 2


async def test_without_a_sandbox_the_check_says_so(desk: Desk) -> None:
    desk.sandbox_problem = "install bubblewrap"

    report = await desk.posting.check(calls.Check(request=request(), seconds=5))

    assert (report.problem, report.text) == (
        schema_jobs.CheckProblem.NO_SANDBOX,
        "install bubblewrap",
    )


async def test_credits_are_given_away_once(desk: Desk) -> None:
    to = schema.Address(encode_address(ANNA.public_key))
    wish = calls.Transfer(to=to, amount=schema.MicroCredits(5 * CREDIT), memo="thanks")

    receipt = await desk.posting.transfer(wish)

    assert (receipt.height, balance(desk.ledger, BERT)) == (1, 995)


async def test_more_than_there_is_cannot_be_given_away(desk: Desk) -> None:
    to = schema.Address(encode_address(ANNA.public_key))
    wish = calls.Transfer(to=to, amount=schema.MicroCredits(5_000 * CREDIT), memo="")

    with pytest.raises(InsufficientBalance):
        await desk.posting.transfer(wish)


async def test_a_job_that_nobody_won_has_no_model(desk: Desk) -> None:
    desk.put_image()
    posted = await desk.posting.submit(calls.Submit(request=request()))

    with pytest.raises(Refused, match="no winner"):
        await desk.posting.fetch_model(calls.FetchModel(job=posted.job))


async def test_an_unknown_job_is_named(desk: Desk) -> None:
    with pytest.raises(UnknownThing, match="lc-node jobs"):
        await desk.posting.fetch_model(calls.FetchModel(job=schema.JobId("00" * 32)))


async def test_what_the_chain_refuses_is_refused_by_its_name(desk: Desk) -> None:
    with pytest.raises(UnknownJob):
        await desk.posting.cancel(calls.Cancel(job=schema.JobId("00" * 32)))
