"""What the owner asks of the chain: prices, checks, jobs, transfers; each answered when it is final."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lc_node.api import calls, schema, schema_jobs
from lc_node.api.errors import Refused, UnknownThing
from lc_node.chain.addresses import decode_address
from lc_node.chain.contracts import Contract
from lc_node.chain.errors import in_bytes, in_cpus
from lc_node.chain.fees import compute_fee
from lc_node.chain.job import Job, PlacedBid
from lc_node.chain.job_limits import validate_spec
from lc_node.chain.transactions import (
    Body,
    Bond,
    Cancel,
    Extend,
    ImageReference,
    JobSpec,
    ModelFormat,
    PostJob,
    Resources,
    Tolerance,
    TopUp,
    Transfer,
    Unbond,
)
from lc_node.chain.types import (
    ByteCount,
    Digest,
    JobId,
    Link,
    MicroCredits,
    Millis,
    NanoLoss,
    PartsPerMillion,
    PublicKey,
    Seconds,
)
from lc_node.ports.clock import Clock
from lc_node.ports.images import ImageStore
from lc_node.ports.stores import BlobStore
from lc_node.runtime.checking import Checker
from lc_node.runtime.event_texts import address, job_name
from lc_node.runtime.ledger import Ledger
from lc_node.runtime.office import ChainView
from lc_node.runtime.sender import Included, Sender
from lc_node.runtime.workshop import Workshop, validate_size

FINAL_SECONDS: Final = 60.0
"""How long an owner's transaction may take to become final before the owner is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What the posting calls work with."""

    me: PublicKey
    ledger: Ledger
    sender: Sender
    images: ImageStore
    blobs: BlobStore
    workshop: Workshop
    clock: Clock
    sandbox_problem: Callable[[], str]
    """Empty where a sandbox works."""


class Posting:
    """The calls of ``api.service.Posting``."""

    def __init__(self, counter: Counter) -> None:
        """Serve the owner."""
        self._with = counter
        self._checker = Checker(counter.workshop, counter.clock, counter.me)
        self._checking = asyncio.Semaphore(1)

    async def price(self, call: calls.GetPrice) -> schema_jobs.Price:
        """Return what posting would cost now, after asking every rule that does not need the image."""
        return self._price(self._spec(call.request))

    async def check(self, call: calls.Check) -> schema_jobs.CheckReport:
        """Run a job once here; a job's own failure is a report, never an error."""
        problem = self._with.sandbox_problem()
        if problem:
            return schema_jobs.CheckReport(
                problem=schema_jobs.CheckProblem.NO_SANDBOX, text=problem, log_tail=""
            )
        spec = self._spec(call.request)
        self._validate_image(spec)
        async with self._checking:
            return await self._checker.check(spec, call.seconds)

    async def submit(self, call: calls.Submit) -> schema_jobs.Submitted:
        """Post a job."""
        spec = self._spec(call.request)
        price = self._price(spec)
        if price.balance_after < 0:
            message = "the balance is lower than bounty and fee; lower the bounty or earn credits"
            raise Refused("InsufficientBalance", message)
        self._validate_image(spec)
        included = await self._send(PostJob(spec=spec))
        return schema_jobs.Submitted(
            job=job_name(JobId(included.transaction)),
            height=included.height,
            time=schema.Millis(included.time),
            expiry=schema.Millis(spec.expiry),
            price=price,
        )

    async def top_up(self, call: calls.TopUp) -> schema.Receipt:
        """Raise a bounty."""
        body = TopUp(job=job_id(call.job), amount=MicroCredits(call.amount))
        return _receipt(await self._send(body))

    async def extend(self, call: calls.Extend) -> schema.Receipt:
        """Move an expiry."""
        expiry = Millis(self._with.clock.now() + 1000 * call.expiry_seconds)
        return _receipt(await self._send(Extend(job=job_id(call.job), expiry=expiry)))

    async def cancel(self, call: calls.Cancel) -> schema.Receipt:
        """Take a job back."""
        return _receipt(await self._send(Cancel(job=job_id(call.job))))

    async def transfer(self, call: calls.Transfer) -> schema.Receipt:
        """Give credits away."""
        body = Transfer(
            to=decode_address(call.to),
            amount=MicroCredits(call.amount),
            memo=call.memo.encode(),
        )
        return _receipt(await self._send(body))

    async def bond(self, call: calls.Bond) -> schema.Receipt:
        """Put credits at stake."""
        body = Bond(amount=MicroCredits(call.amount), link=self._first_link(), resources=())
        return _receipt(await self._send(body))

    def _first_link(self) -> tuple[Link, ...]:
        """Return the link without which an account cannot validate, if it has none yet."""
        account = self._with.ledger.state.account(self._with.me)
        return () if account.link or account.next_link else (self._with.ledger.link,)

    async def unbond(self, call: calls.Unbond) -> schema.Receipt:
        """Withdraw stake."""
        return _receipt(await self._send(Unbond(amount=MicroCredits(call.amount))))

    async def fetch_model(self, call: calls.FetchModel) -> schema_jobs.FetchedModel:
        """Bring the winner's model to this disk."""
        job = find_job(self._with.ledger, call.job)
        bid = find_winning_bid(job)
        root, size = bid.opening[0]
        path = await self._with.workshop.model(root, size)
        return schema_jobs.FetchedModel(
            path=str(path),
            root=schema.Digest(root.hex()),
            size=size,
            model_format=schema.ModelFormat(job.spec.model_format.value),
            bidder=address(bid.bidder),
            label=str(job.label),
            posted_by_me=job.submitter == self._with.me,
        )

    async def _send(self, body: Body) -> Included:
        return await self._with.sender.send(body, timeout_seconds=FINAL_SECONDS)

    def _price(self, spec: JobSpec) -> schema_jobs.Price:
        ledger = self._with.ledger
        validate_spec(ledger.params, spec, Millis(max(self._with.clock.now(), ledger.tip.time)))
        fee = compute_fee(ledger.params, spec)
        balance = ledger.state.account(self._with.me).balance
        return schema_jobs.Price(
            bounty=schema.MicroCredits(spec.bounty),
            fee=schema.MicroCredits(fee),
            balance=schema.MicroCredits(balance),
            balance_after=balance - spec.bounty - fee,
            note=" ".join(filter(None, (_note_on(spec), self._note_on_resources(spec)))),
        )

    def _note_on_resources(self, spec: JobSpec) -> str:
        """Return that nobody could judge the job for want of something; empty if somebody could."""
        accounts = self._with.ledger.state.staked_accounts()
        offers = [offer for _, account in accounts for offer in account.resources]
        for name, show, kind, remedy in _RESOURCES:
            needed = getattr(spec.resources, name)
            most = max((getattr(offer, name) for offer in offers), default=0)
            if needed > most and (offers or name == "gpus"):
                what = f"{show(needed)} {kind}"
                return _NOBODY.format(what=what, most=show(most), remedy=remedy)
        return ""

    def _validate_image(self, spec: JobSpec) -> None:
        """Check that this node can hand the whole image on.

        Raises:
            Refused: a blob is not here.
            ImageRefused: the manifest is malformed, or names more bytes than the job declares.
        """
        blobs = self._with.blobs
        manifest = spec.image.manifest
        if blobs.path_of(manifest) is None:
            message = "put the image's blobs into the node first: its manifest is missing"
            raise Refused("ImageMissing", message)
        references = self._with.images.blobs_of(manifest)
        validate_size(references, spec.image.total_bytes)
        for reference in references:
            if blobs.path_of(reference.digest) is None:
                message = f"put the image's blobs into the node first: {reference.digest.hex()} is missing"
                raise Refused("ImageMissing", message)

    def _spec(self, request: schema_jobs.JobRequest) -> JobSpec:
        return spec_of(request, self._with.clock.now())


def _note_on(spec: JobSpec) -> str:
    """Return what to know before posting; empty if there is nothing."""
    if spec.contract != Contract.LC_1:
        return _UNGUARDED
    return _UNVERIFIED if spec.model_format.can_execute else ""


_NOBODY: Final = (
    "No bonded node of this graph offers {what} to a job, {most} at most, so that nobody could be drawn to evaluate "
    "it: the bounty will come back, unless such nodes bond before it expires. {remedy}"
)
_RESOURCES: Final[tuple[tuple[str, Callable[[int], str], str, str], ...]] = (
    ("gpus", str, "GPUs", "Without --gpus it runs on processors."),
    ("millicpus", in_cpus, "processors", "Ask for fewer with --cpus."),
    ("memory_bytes", in_bytes, "of memory", "Ask for less with --memory."),
    ("disk_bytes", in_bytes, "of disk", "Ask for less with --disk."),
)
_UNGUARDED: Final = (
    "An image of contract stdout/1 says its loss in what it prints, and does not promise to guard itself against a "
    "model that prints in its place, so nobody can vouch for the loss: the label will be 'unverified', whatever the "
    "model format. Evaluators check it all the same, and who lies is banned. Images of contract lc/1 can be verified."
)
_UNVERIFIED: Final = (
    "The model format is pickle, whose file can run code while it is evaluated, so nobody can vouch for "
    "the loss: the label will be 'unverified'. skops, npz, safetensors, onnx and raw can be verified."
)


def spec_of(request: schema_jobs.JobRequest, now: Millis) -> JobSpec:
    """Return what a request asks the chain for, its expiry counted from ``now``."""
    image, resources = request.image, request.resources
    return JobSpec(
        title=request.title,
        image=ImageReference(
            manifest=Digest(bytes.fromhex(image.manifest)),
            total_bytes=ByteCount(image.total_bytes),
            references=image.references,
            on_graph=image.on_graph,
        ),
        contract=request.contract,
        model_format=ModelFormat(request.model_format.value),
        resources=Resources(
            millicpus=resources.millicpus,
            memory_bytes=ByteCount(resources.memory_bytes),
            disk_bytes=ByteCount(resources.disk_bytes),
            gpus=resources.gpus,
        ),
        trial_seconds=Seconds(request.trial_seconds),
        evaluate_seconds=Seconds(request.evaluate_seconds),
        model_bytes_max=ByteCount(request.model_bytes_max),
        bounty=MicroCredits(request.bounty),
        expiry=Millis(now + 1000 * request.expiry_seconds),
        tolerance=Tolerance(
            absolute=NanoLoss(request.tolerance.absolute),
            relative=PartsPerMillion(request.tolerance.relative_ppm),
        ),
        open_to_newcomers=request.open_to_newcomers,
        hidden_root=(
            () if request.hidden_root is None else (Digest(bytes.fromhex(request.hidden_root)),)
        ),
        private=request.private,
    )


def job_id(name: str) -> JobId:
    """Return a job's id from how the API writes it."""
    return JobId(Digest(bytes.fromhex(name)))


def find_job(ledger: ChainView, name: str) -> Job:
    """Return a job of the final state.

    Raises:
        UnknownThing: there is none of this id.
    """
    job = ledger.state.job(job_id(name))
    if job is None:
        message = f"no job {name[:8]} on this chain; `lc-node jobs` lists them"
        raise UnknownThing("UnknownJob", message)
    return job


def find_winning_bid(job: Job) -> PlacedBid:
    """Return the bid that won a job; it is opened.

    Raises:
        Refused: none has.
    """
    if not job.winner:
        name, phase = job_name(job.id)[:8], job.phase.name.lower()
        waits = "" if job.phase.is_over else f"; `lc-node job watch {name}` waits for its end"
        message = f"job {name} has no winner: it is {phase}{waits}"
        raise Refused("NoWinner", message)
    return next(bid for bid in job.bids if bid.bidder == job.winner[0])


def _receipt(included: Included) -> schema.Receipt:
    return schema.Receipt(
        transaction=schema.Digest(included.transaction.hex()),
        height=included.height,
        time=schema.Millis(included.time),
    )
