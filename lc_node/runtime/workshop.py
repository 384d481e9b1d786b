"""Where a job is worked on: its image fetched and unpacked, its trainings and evaluations run."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.chain.contracts import Contract
from lc_node.chain.job import Job
from lc_node.chain.transactions import ImageReference
from lc_node.chain.types import ByteCount, Digest, JobId, Millis, PublicKey
from lc_node.ports.clock import Clock
from lc_node.ports.images import BlobReference, ImageRefused, ImageStore, PreparedImage
from lc_node.ports.registry import Registry
from lc_node.ports.sandbox import Sandbox
from lc_node.ports.search import Search
from lc_node.ports.stores import BlobStore, Naming
from lc_node.runtime.elsewhere import elsewhere
from lc_node.runtime.evaluator import Evaluation, evaluate
from lc_node.runtime.image_fetcher import Fetcher, ImageFetcher, Progress
from lc_node.runtime.memory_share import MemoryShare
from lc_node.runtime.predictor import Prediction, predict
from lc_node.runtime.trainer import Assignment, Company, TakenModel, Training, train
from lc_node.runtime.trial_runner import run_trials
from lc_node.worker.exchange import Leader
from lc_node.worker.limits import memory_limit

_LOG_BYTES_MAX: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a workshop works with."""

    sandbox: Sandbox
    images: ImageStore
    blobs: BlobStore
    fetcher: Fetcher
    search: Callable[[JobId, PublicKey], Search]
    clock: Clock
    node: PublicKey
    folder: Path
    registry: Registry | None = None
    """None: images come from the graph alone."""
    is_known_to_registries: bool = False
    """Whether the owner's credentials are shown for jobs, too."""


class Workshop:
    """Runs what jobs ask for, each in a folder of its own that goes when the job is over."""

    def __init__(self, tools: Tools) -> None:
        """Work with these tools."""
        self._tools = tools
        self.evaluations = MemoryShare()
        self._held: dict[JobId, frozenset[Digest]] = {}
        self.registry = tools.registry
        self._sources = ImageFetcher(
            tools.blobs,
            tools.fetcher,
            tools.registry,
            tools.clock,
            anonymous=not tools.is_known_to_registries,
        )

    def in_reach(self, image: ImageReference) -> bool:
        """Tell whether an image is said to be where this node looks."""
        return self._sources.in_reach(image)

    async def image(self, image: ImageReference, progress: Progress) -> PreparedImage:
        """Fetch what is missing of an image and unpack it.

        Raises:
            ImageRefused: it is malformed, hostile, or larger than it says.
            BlobUnavailable, ImageUnavailable: nobody who has it can be reached now.
        """
        images = self._tools.images
        with self._pinned([image.manifest]):
            await self._sources.manifest(image)
            blobs = tuple(dict.fromkeys(images.blobs_of(image.manifest)))
            whole = validate_size(blobs, image.total_bytes)
            with self._pinned([blob.digest for blob in blobs]):
                await self._fetch_all(image, blobs, whole, progress)
                return await images.prepare(image.manifest)

    def blobs_of_image(self, manifest: Digest) -> frozenset[Digest]:
        """Return what an image consists of, as far as it is known here."""
        if self._tools.blobs.path_of(manifest) is None:
            return frozenset((manifest,))
        try:
            references = self._tools.images.blobs_of(manifest)
        except ImageRefused:
            return frozenset((manifest,))
        return frozenset((manifest, *(reference.digest for reference in references)))

    def hold(self, job: JobId, blobs: frozenset[Digest]) -> None:
        """Keep these blobs from being evicted for a job, instead of those that were held for it."""
        before = self._held.pop(job, frozenset())
        for digest in sorted(blobs - before):
            self._tools.blobs.pin(digest)
        for digest in sorted(before - blobs):
            self._tools.blobs.unpin(digest)
        if blobs:
            self._held[job] = blobs

    async def model(self, root: Digest, size: ByteCount) -> Path:
        """Fetch a model that a bid has opened.

        Raises:
            BlobUnavailable: nobody who has it can be reached now.
        """
        return await self._tools.fetcher.fetch_blob(root, naming=Naming.CHUNKS, size_max=size)

    async def train(
        self,
        job: Job,
        image: PreparedImage,
        *,
        stop: asyncio.Event,
        leader: Callable[[], Leader],
        is_paused: Callable[[], bool],
        on_model: Callable[[TakenModel], Awaitable[None]],
    ) -> Training:
        """Train until the job's expiry, or until told to stop; anew if the machine that trains is lost.

        Raises:
            SandboxFailed: the sandbox itself failed; not the job's fault.
        """
        log = Log(self.folder(job.id) / "train.log")
        run = train if job.spec.contract == Contract.LC_1 else run_trials

        async def attempt(number: int) -> Training:
            """Train with an empty search: what the job was told is gone with it; its models are not."""
            company = Company(
                sandbox=self._tools.sandbox,
                search=self._tools.search(job.id, self._tools.node),
                clock=self._tools.clock,
                stop=stop,
                leader=leader,
                is_paused=is_paused,
                on_model=on_model,
                on_log=log.write,
            )
            assignment = self._assignment(job, image, attempt=number)
            return await run(assignment, until=Millis(job.expiry), company=company)

        return await elsewhere(attempt)

    async def evaluate(self, job: Job, image: PreparedImage, model: Path) -> Evaluation:
        """Evaluate one model in a fresh sandbox, once the evaluations before it leave room for it.

        Raises:
            SandboxFailed: the sandbox itself failed; not the job's fault.
        """
        log = Log(self.folder(job.id) / "evaluate.log")
        assignment = self._assignment(job, image)
        async with self.evaluations.lend(memory_limit(job.spec)):
            return await elsewhere(
                lambda _: evaluate(
                    assignment, model, sandbox=self._tools.sandbox, on_log=log.write
                )
            )

    async def predict(
        self, job: Job, image: PreparedImage, model: Path, inputs: Path
    ) -> Prediction:
        """Let a model predict in a fresh sandbox, as an evaluation would run; one at a time of a job.

        Raises:
            SandboxFailed: the sandbox itself failed; not the job's fault.
        """
        folder = self._tools.folder / f"predict-{job.id.hex()}"
        folder.mkdir(mode=0o700, parents=True)
        try:
            assignment = Assignment(
                job=job.id, spec=job.spec, node=self._tools.node, image=image, folder=folder
            )
            async with self.evaluations.lend(memory_limit(job.spec)):
                return await elsewhere(
                    lambda _: predict(assignment, model, inputs, sandbox=self._tools.sandbox)
                )
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def keep_model(self, taken: TakenModel) -> tuple[Digest, ByteCount]:
        """Store a taken model under the root of its chunks, and return its name and size."""
        blobs, path = self._tools.blobs, taken.file.path
        root, size = await asyncio.to_thread(blobs.put_file, path, Naming.CHUNKS)
        path.unlink(missing_ok=True)
        return root, size

    async def wait_until(self, at: Millis) -> None:
        """Return at a time."""
        await self._tools.clock.sleep_until(at)

    def folder(self, job: JobId) -> Path:
        """Return the job's folder, made if need be."""
        folder = self._tools.folder / job.hex()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def clear(self, job: JobId) -> None:
        """Remove the job's folder."""
        shutil.rmtree(self._tools.folder / job.hex(), ignore_errors=True)

    def tidy(self, jobs: Collection[JobId]) -> None:
        """Remove what an earlier life of this node left of other jobs."""
        names = {job.hex() for job in jobs}
        if self._tools.folder.is_dir():
            for folder in self._tools.folder.iterdir():
                if folder.name not in names:
                    shutil.rmtree(folder, ignore_errors=True)

    async def _fetch_all(
        self,
        image: ImageReference,
        blobs: Sequence[BlobReference],
        whole: ByteCount,
        progress: Progress,
    ) -> None:
        done = ByteCount(0)
        for blob in blobs:
            await self._sources.fetch(image, blob, _after(done, whole, progress))
            done = ByteCount(done + blob.size)
            progress(done, whole)

    @contextmanager
    def _pinned(self, digests: Sequence[Digest]) -> Iterator[None]:
        """Keep blobs while the body runs: a part must not be evicted while the next one comes."""
        for digest in digests:
            self._tools.blobs.pin(digest)
        try:
            yield
        finally:
            for digest in digests:
                self._tools.blobs.unpin(digest)

    def _assignment(self, job: Job, image: PreparedImage, *, attempt: int = 1) -> Assignment:
        """Return the job as a run sees it; later attempts leave alone the models of earlier ones."""
        folder = self.folder(job.id)
        if attempt > 1:
            folder = folder / f"again-{attempt}"
            folder.mkdir(mode=0o700, exist_ok=True)
        return Assignment(
            job=job.id, spec=job.spec, node=self._tools.node, image=image, folder=folder
        )


def validate_size(references: Sequence[BlobReference], declared: ByteCount) -> ByteCount:
    """Return how many bytes an image's blobs have together.

    Raises:
        ImageRefused: more than its job declared, by which nodes chose to take it.
    """
    whole = ByteCount(sum(reference.size for reference in dict.fromkeys(references)))
    if whole > declared:
        raise ImageRefused(f"its blobs have {whole} bytes, {declared} were declared")
    return whole


def _after(done: ByteCount, whole: ByteCount, progress: Progress) -> Progress:
    """Return a progress of one blob that tells of all: ``done`` bytes came before it."""
    return lambda here, _: progress(ByteCount(done + here), whole)


class Log:
    """Keeps the beginning of what a job says, for the owner's eyes; bounded."""

    def __init__(self, path: Path) -> None:
        """Write to ``path``, over what was there."""
        self._path = path
        self._left = _LOG_BYTES_MAX
        path.write_bytes(b"")

    def write(self, line: bytes) -> None:
        """Append a line while there is room."""
        data = line[: self._left] + b"\n"
        if self._left > 0:
            self._left -= len(data)
            with self._path.open("ab") as file:
                file.write(data)
