"""A node that answers from memory, for tests of the door itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from lc_node.adapters.blobs import DirectoryBlobStore
from lc_node.adapters.oci_image import OciImageStore
from lc_node.adapters.registry import RegistryClient
from lc_node.adapters.registry_hosts import Hosts
from lc_node.api import calls, schema, schema_jobs
from lc_node.api.endpoint import close_endpoint, open_endpoint
from lc_node.api.errors import Refused, UnknownThing
from lc_node.api.server import ApiServer
from lc_node.chain.errors import InvalidTransaction
from lc_node.chain.job import Job
from lc_node.chain.types import ByteCount, Digest
from lc_node.runtime.blob_door import BlobDoor
from lc_node.runtime.image_catalogue import ImageCatalogue
from lc_node.runtime.image_door import ImageDoor

ADDRESS = schema.Address("lc1sample")
CHAIN = schema.Digest("c" * 64)
JOB = schema.JobId("a" * 64)
OTHER_JOB = schema.JobId("b" * 64)
BEAT_SECONDS = 0.02
BLOBS_MAX = ByteCount(64 * 1024 * 1024)

RECEIPT = schema.Receipt(transaction=schema.Digest("d" * 64), height=7, time=schema.Millis(1_000))
PRICE = schema_jobs.Price(
    bounty=schema.MicroCredits(20_000_000),
    fee=schema.MicroCredits(300_000),
    balance=schema.MicroCredits(100_000_000),
    balance_after=79_700_000,
)
POLICY = schema.Policy(
    work=True,
    bounty_min=schema.MicroCredits(1_000_000),
    time_left_min_seconds=30,
    trial_seconds_max=600,
    jobs_at_once=1,
    image_bytes_max=10**10,
    offered=schema.Resources(),
    newcomers=False,
)
REQUEST = schema_jobs.JobRequest(
    title="digits",
    image=schema_jobs.ImageChoice(manifest=schema.Digest("e" * 64), total_bytes=123_456),
    bounty=schema.MicroCredits(20_000_000),
    expiry_seconds=600,
    model_format=schema.ModelFormat.SKOPS,
)


class BalanceTooLow(InvalidTransaction):
    """An error of the chain, as a rule would raise it."""


def summary(job: schema.JobId, phase: schema.Phase = schema.Phase.OPEN) -> schema_jobs.JobSummary:
    """Return a job with one bid."""
    return schema_jobs.JobSummary(
        job=job,
        title="digits",
        submitter=ADDRESS,
        mine=True,
        phase=phase,
        bounty=schema.MicroCredits(20_000_000),
        posted=schema.Millis(1_000),
        expiry=schema.Millis(601_000),
        due=schema.Millis(601_000),
        bids=1,
        best_loss=schema.NanoLoss(123_456_789),
        leader=schema.Address("lc1other"),
        winner=None,
        label="",
        model_format=schema.ModelFormat.SKOPS,
    )


def event(code: str, *, job: schema.JobId = JOB) -> schema.Event:
    """Return an event of a job."""
    return schema.Event(time=schema.Millis(1_000), code=code, text=f"{code} happened", job=job)


class SampleService(BlobDoor, ImageDoor):
    """Answers every call; ``release`` lets a ``check`` end, ``cancel`` is refused by a rule."""

    def __init__(self, blobs: DirectoryBlobStore, folder: Path) -> None:
        BlobDoor.__init__(self, blobs)
        images = OciImageStore(folder / "images", blobs, cache_bytes_max=BLOBS_MAX)
        catalogue = ImageCatalogue(folder / "image-names.json")
        ImageDoor.__init__(
            self,
            catalogue,
            images=images,
            blobs=blobs,
            live_jobs=lambda: self.live_jobs,
            registry=RegistryClient(hosts=Hosts.of(()), machine="x86_64", pause_seconds=0.001),
        )
        self.live_jobs: list[Job] = []
        self.requests: list[schema_jobs.JobRequest] = []
        self.report = schema_jobs.CheckReport(
            problem=schema_jobs.CheckProblem.NONE, text="Fits.", log_tail=""
        )
        self.release = asyncio.Event()
        self.when_asked: Callable[[], None] = lambda: None
        self.policy_now = POLICY
        self.no_jobs_now = ""
        self.model_path = Path("/models/sample")
        self.model_root = schema.Digest("f" * 64)
        self.summaries = [summary(JOB), summary(OTHER_JOB, schema.Phase.SETTLED)]

    async def hello(self) -> schema.NodeVersion:
        """Say who answers."""
        return schema.NodeVersion(
            api=schema.API_VERSION, software="0.1.0", chain_id=CHAIN, address=ADDRESS
        )

    async def status(self) -> schema.Status:
        """Return the node at a glance."""
        sandbox = schema.SandboxState(
            engine="bubblewrap", version="0.11", enforced=("namespaces",)
        )
        return schema.Status(
            address=ADDRESS,
            chain_id=CHAIN,
            software="0.1.0",
            height=7,
            block_time=schema.Millis(1_000),
            clock=schema.Millis(2_000),
            peers=3,
            sync=schema.SyncState.FOLLOWING,
            network_height=7,
            balance=schema.MicroCredits(100_000_000),
            bonded=schema.MicroCredits(50_000_000),
            unbonding=schema.MicroCredits(0),
            is_validator=True,
            is_banned=False,
            is_working=True,
            sandbox=sandbox,
            activities=(),
            jobs_open=1,
            no_jobs_now=self.no_jobs_now,
        )

    async def peers(self) -> tuple[schema.Peer, ...]:
        """Return no peers."""
        return ()

    async def wallet(self, call: calls.GetWallet) -> schema.Wallet:
        """Return the own credits."""
        return schema.Wallet(
            address=ADDRESS,
            balance=schema.MicroCredits(100_000_000),
            bonded=schema.MicroCredits(50_000_000),
            unbonding=schema.MicroCredits(0),
            escrowed=schema.MicroCredits(0),
            changes=(),
        )

    async def account(self, call: calls.GetAccount) -> schema.Account:
        """Return an account as the chain has it."""
        return schema.Account(
            address=call.address,
            balance=schema.MicroCredits(7),
            bonded=schema.MicroCredits(0),
            unbonding=schema.MicroCredits(0),
            is_validator=False,
            is_banned=False,
        )

    async def machine(self) -> schema.Machine:
        """Fail as a bug would."""
        message = "a bug with a secret in it"
        raise ZeroDivisionError(message)

    async def jobs(self, call: calls.GetJobs) -> tuple[schema_jobs.JobSummary, ...]:
        """Return the jobs that match."""
        return tuple(
            job
            for job in self.summaries
            if job.job.startswith(call.prefix) and (not call.phases or job.phase in call.phases)
        )

    async def job(self, call: calls.GetJob) -> schema_jobs.JobStory:
        """Return a job's story; ``when_asked`` may let something happen to it."""
        self.when_asked()
        for found in self.summaries:
            if found.job == call.job:
                return schema_jobs.JobStory(
                    summary=found,
                    request=REQUEST,
                    fee=PRICE.fee,
                    rounds=0,
                    candidate=None,
                    committee_size=0,
                    bids=(),
                    verdicts=(),
                    events=(event("posted"),),
                )
        raise UnknownThing("UnknownJob", f"No job {call.job}; see `lc-node jobs --all`.")

    async def policy(self) -> schema.Policy:
        """Return the policy."""
        return self.policy_now

    async def price(self, call: calls.GetPrice) -> schema_jobs.Price:
        """Return a price."""
        return PRICE

    async def check(self, call: calls.Check) -> schema_jobs.CheckReport:
        """Work until released."""
        await self.release.wait()
        return self.report

    async def submit(self, call: calls.Submit) -> schema_jobs.Submitted:
        """Accept the job."""
        self.requests.append(call.request)
        return schema_jobs.Submitted(
            job=JOB, height=7, time=schema.Millis(1), expiry=schema.Millis(2), price=PRICE
        )

    async def top_up(self, call: calls.TopUp) -> schema.Receipt:
        """Refuse as the door's own errors do."""
        raise Refused("JobIsOver", "The job is settled.", {"phase": "settled"})

    async def extend(self, call: calls.Extend) -> schema.Receipt:
        """Accept."""
        return RECEIPT

    async def cancel(self, call: calls.Cancel) -> schema.Receipt:
        """Refuse as a rule of the chain does."""
        message = "the balance is too low"
        raise BalanceTooLow(message)

    async def fetch_model(self, call: calls.FetchModel) -> schema_jobs.FetchedModel:
        """Return where a model lies."""
        return schema_jobs.FetchedModel(
            path=str(self.model_path),
            root=self.model_root,
            size=5,
            model_format=schema.ModelFormat.SKOPS,
            bidder=ADDRESS,
            label="strong",
            posted_by_me=True,
        )

    async def predict(self, call: calls.Predict) -> schema_jobs.Prediction:
        """Return what was asked for."""
        path = self._blobs.path_of(Digest(bytes.fromhex(call.inputs)))
        assert path is not None
        return schema_jobs.Prediction(
            problem=schema_jobs.CheckProblem.NONE, data=path.read_bytes(), takes_seconds=0.5
        )

    async def transfer(self, call: calls.Transfer) -> schema.Receipt:
        """Accept."""
        return RECEIPT

    async def bond(self, call: calls.Bond) -> schema.Receipt:
        """Accept."""
        return RECEIPT

    async def unbond(self, call: calls.Unbond) -> schema.Receipt:
        """Accept."""
        return RECEIPT

    async def stop_run(self, call: calls.StopRun) -> None:
        """Do nothing."""

    async def set_policy(self, call: calls.SetPolicy) -> schema.Policy:
        """Keep the policy."""
        self.policy_now = call.policy
        return call.policy


@asynccontextmanager
async def serving(
    folder: Path, kind: type[SampleService] = SampleService
) -> AsyncIterator[tuple[ApiServer, SampleService]]:
    """Run a node's door over ``folder``/home, its sockets under ``folder``/run."""
    home, runtime = _folders(folder)
    service = kind(DirectoryBlobStore(home / "blobs", bytes_max=BLOBS_MAX), home)
    endpoint = open_endpoint(home, {"XDG_RUNTIME_DIR": str(runtime)})
    server = ApiServer(endpoint, service, beat_seconds=BEAT_SECONDS)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        try:
            yield server, service
        finally:
            running.cancel()
            service.close()
            close_endpoint(home, endpoint)


def _folders(folder: Path) -> tuple[Path, Path]:
    folders = folder / "home", folder / "run"
    for made in folders:
        made.mkdir(exist_ok=True)
    return folders
