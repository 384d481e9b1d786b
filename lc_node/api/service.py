"""What a node must be able to answer; the runtime implements it, the server calls it.

Each method is named by its call's tag, and takes the call if that says anything beyond its name. A method refuses by raising ``lc_node.api.errors.ApiError``,
or any ``LearningChainError``, whose class's name becomes the code that the client sees.
``events_since`` is missing here on purpose: the server's own event log answers it.
"""

from typing import Protocol

from lc_node.api import calls, schema, schema_images, schema_jobs


class Reading(Protocol):
    """Questions that change nothing."""

    async def hello(self) -> schema.NodeVersion:
        """Say who answers."""
        ...

    async def status(self) -> schema.Status:
        """Return the node at a glance."""
        ...

    async def peers(self) -> tuple[schema.Peer, ...]:
        """Return the connected nodes."""
        ...

    async def wallet(self, call: calls.GetWallet) -> schema.Wallet:
        """Return the own credits and their latest changes."""
        ...

    async def account(self, call: calls.GetAccount) -> schema.Account:
        """Return an account as the chain has it."""
        ...

    async def machine(self) -> schema.Machine:
        """Return the load of this machine."""
        ...

    async def jobs(self, call: calls.GetJobs) -> tuple[schema_jobs.JobSummary, ...]:
        """Return the jobs that match, newest first."""
        ...

    async def job(self, call: calls.GetJob) -> schema_jobs.JobStory:
        """Return one job's story."""
        ...

    async def policy(self) -> schema.Policy:
        """Return which jobs this node takes."""
        ...


class Posting(Protocol):
    """Jobs of the owner, and the owner's credits; each returns when it is final."""

    async def price(self, call: calls.GetPrice) -> schema_jobs.Price:
        """Return what posting would cost now."""
        ...

    async def check(self, call: calls.Check) -> schema_jobs.CheckReport:
        """Run a job once here; a job's own failure is a report, never an error."""
        ...

    async def submit(self, call: calls.Submit) -> schema_jobs.Submitted:
        """Post a job."""
        ...

    async def top_up(self, call: calls.TopUp) -> schema.Receipt:
        """Raise a bounty."""
        ...

    async def extend(self, call: calls.Extend) -> schema.Receipt:
        """Move an expiry."""
        ...

    async def cancel(self, call: calls.Cancel) -> schema.Receipt:
        """Take a job back."""
        ...

    async def fetch_model(self, call: calls.FetchModel) -> schema_jobs.FetchedModel:
        """Bring the winner's model to this disk."""
        ...

    async def predict(self, call: calls.Predict) -> schema_jobs.Prediction:
        """Let the winner's model predict; a run's own failure is an answer, never an error."""
        ...

    async def transfer(self, call: calls.Transfer) -> schema.Receipt:
        """Give credits away."""
        ...

    async def bond(self, call: calls.Bond) -> schema.Receipt:
        """Put credits at stake."""
        ...

    async def unbond(self, call: calls.Unbond) -> schema.Receipt:
        """Withdraw stake."""
        ...


class Working(Protocol):
    """What this machine does for others."""

    async def stop_run(self, call: calls.StopRun) -> None:
        """End a job's run here."""
        ...

    async def set_policy(self, call: calls.SetPolicy) -> schema.Policy:
        """Replace the policy."""
        ...


class BlobKeeping(Protocol):
    """Blobs in and out; ``runtime.blob_door.BlobDoor`` implements it over a blob store."""

    async def missing_blobs(self, call: calls.MissingBlobs) -> tuple[schema.Digest, ...]:
        """Return which blobs are lacking."""
        ...

    async def begin_blob(self, call: calls.BeginBlob) -> schema.BlobOffset:
        """Start or resume a blob."""
        ...

    async def put_chunk(self, call: calls.PutChunk) -> schema.BlobOffset:
        """Append to a blob."""
        ...

    async def end_blob(self, call: calls.EndBlob) -> schema.BlobOffset:
        """Verify and publish a blob."""
        ...

    async def read_blob(self, call: calls.ReadBlob) -> bytes:
        """Return a piece of a blob."""
        ...


class ImageKeeping(Protocol):
    """The owner's images."""

    async def images(self) -> tuple[schema_images.ImageView, ...]:
        """Return the images that are kept, and those of jobs."""
        ...

    async def keep_image(self, call: calls.KeepImage) -> schema_images.ImageView:
        """Keep an image whose blobs are here."""
        ...

    async def pull_image(self, call: calls.PullImage) -> schema_images.ImageView:
        """Bring an image here from a registry."""
        ...

    async def push_image(self, call: calls.PushImage) -> schema_images.ImageView:
        """Bring an image to a registry."""
        ...

    async def remove_image(self, call: calls.RemoveImage) -> schema_images.RemovedImage:
        """Forget an image."""
        ...


class Service(Reading, Posting, Working, BlobKeeping, ImageKeeping, Protocol):
    """Everything a node answers."""
