"""Runs an image as a node would, without a graph: to see what it does before it costs anything."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lc_node.adapters.chosen_sandbox import ChosenSandbox
from lc_node.adapters.oci_image import OciImageStore
from lc_node.adapters.system_clock import SystemClock
from lc_node.chain.contracts import Contract
from lc_node.chain.transactions import (
    ImageReference,
    JobSpec,
    ModelFormat,
    Resources,
    Tolerance,
)
from lc_node.chain.types import (
    ByteCount,
    Digest,
    JobId,
    MicroCredits,
    Millis,
    MillisSpan,
    NanoLoss,
    PartsPerMillion,
    PublicKey,
    Seconds,
)
from lc_node.ports.images import BlobPlaces, PreparedImage
from lc_node.ports.sandbox import Run, Sandbox, SandboxWishes
from lc_node.ports.search import Search, Space, TrialState, Value
from lc_node.runtime.contract_plain import PlainTrial, run_plain_trial
from lc_node.runtime.evaluator import Evaluation, evaluate
from lc_node.runtime.overheard_sandbox import Hear, OverheardSandbox
from lc_node.runtime.searches import new_search
from lc_node.runtime.trainer import Assignment, Company, TakenModel, Training, train, train_request
from lc_node.runtime.trial_runner import run_trials
from lc_node.worker.exchange import Leader

NODE: Final = PublicKey(bytes(32))
"""The node that runs it: none of any graph."""

_NO_LIMIT: Final = ByteCount(1 << 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTerms:
    """What a run may use: what a job's poster would declare."""

    seconds: Seconds
    """For the training, or for the evaluation."""
    millicpus: int = 1000
    memory_bytes: ByteCount = ByteCount(2 << 30)  # noqa: RUF009 - an int by another name
    disk_bytes: ByteCount = ByteCount(1 << 30)  # noqa: RUF009 - the same
    model_bytes_max: ByteCount = ByteCount(100 << 20)  # noqa: RUF009 - the same
    model_format: ModelFormat = ModelFormat.RAW
    contract: Contract = Contract.LC_1


class ImageRuns:
    """An unpacked image and a sandbox, for as long as its context is open."""

    def __init__(self, image: PreparedImage, sandbox: Sandbox, folder: Path, job: JobId) -> None:
        self.image = image
        self._sandbox = sandbox
        self._folder = folder
        self._job = job
        self._is_chosen = False

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, manifest: Digest, blobs: BlobPlaces, hear: Hear, wishes: SandboxWishes
    ) -> AsyncIterator["ImageRuns"]:
        """Unpack an image into a folder of its own, which goes at the end.

        Args:
            manifest: the image's.
            blobs: where its blobs are.
            hear: told each line of both sides.
            wishes: which sandbox it shall run in; a node's own are those of its ``config.toml``.

        Raises:
            ImageRefused: it is malformed, hostile, or not for this machine.
        """
        with tempfile.TemporaryDirectory(prefix="lc-image-") as name:
            folder = _prepared(Path(name))
            store = OciImageStore(folder / "images", blobs, cache_bytes_max=_NO_LIMIT)
            image = await store.prepare(manifest)
            chosen = ChosenSandbox(wishes, folder.name, disks=folder / "outputs")
            yield cls(image, OverheardSandbox(chosen, hear), folder / "job", JobId(manifest))

    async def choose(self) -> Sandbox:
        """Return the sandbox in which everything runs; looked for once, before the time of any run counts.

        Raises:
            SandboxUnavailable: none works here, or not the one that is wished for; the message names the remedy.
        """
        if not self._is_chosen:
            await self._sandbox.probe()
            self._is_chosen = True
        return self._sandbox

    async def train(
        self, terms: RunTerms, *, trials: int, stops_at_model: bool = False
    ) -> tuple[Training, Path | None]:
        """Train for some trials; return how it ended and the last model, if there is one.

        ``stops_at_model``: for as many models instead, however many trials that takes.
        """
        stop = asyncio.Event()
        models: list[TakenModel] = []

        is_plain = terms.contract is not Contract.LC_1
        counts_models = is_plain or stops_at_model

        async def keep(taken: TakenModel) -> None:
            """Remember a model; a contract without messages is stopped by it."""
            models.append(taken)
            if counts_models and len(models) == trials:
                stop.set()

        sandbox = await self.choose()
        loop = asyncio.get_running_loop()
        search = _CountedSearch(trials, lambda: loop.call_soon_threadsafe(stop.set))
        clock = SystemClock()
        company = Company(
            sandbox=sandbox,
            search=search,
            clock=clock,
            stop=stop,
            leader=lambda: Leader(best=None, bar=None),
            is_paused=lambda: False,
            on_model=keep,
            on_log=lambda _line: None,
        )
        until = Millis(clock.now() + terms.seconds * 1000)
        run = run_trials if is_plain else train
        training = await run(self._assignment(terms), until=until, company=company)
        return training, models[-1].file.path if models else None

    async def evaluate(self, terms: RunTerms, model: Path) -> Evaluation:
        """Evaluate a model file."""
        sandbox = await self.choose()
        return await evaluate(
            self._assignment(terms), model, sandbox=sandbox, on_log=lambda _line: None
        )

    async def plain_trial(self, terms: RunTerms, number: int) -> PlainTrial:
        """Run one trial of an image of contract stdout/1."""
        return await run_plain_trial(self._assignment(terms), await self.choose(), number)

    def spec(self, terms: RunTerms) -> JobSpec:
        """Return the job that such a run would be part of."""
        return self._assignment(terms).spec

    @asynccontextmanager
    async def started(self, terms: RunTerms) -> AsyncIterator[Run]:
        """Start a training that nobody answers."""
        span = MillisSpan(terms.seconds * 1000)
        sandbox = await self.choose()
        async with sandbox.open(train_request(self._assignment(terms), span)) as run:
            yield run

    def _assignment(self, terms: RunTerms) -> Assignment:
        return Assignment(
            job=self._job,
            spec=_spec(terms, Digest(self._job)),
            node=NODE,
            image=self.image,
            folder=self._folder,
        )


def _prepared(folder: Path) -> Path:
    folder.chmod(0o711)  # a job's user id has to reach its root
    (folder / "job").mkdir(mode=0o700)
    return folder


class _CountedSearch:
    """A search that says when so many trials have ended."""

    def __init__(self, trials: int, done: Callable[[], object]) -> None:
        self._inside: Search = new_search(0)
        self._left = trials
        self._done = done

    def begin(self, trial: int) -> None:
        self._inside.begin(trial)

    def ask(self, trial: int, name: str, space: Space) -> Value:
        return self._inside.ask(trial, name, space)

    def report(self, trial: int, step: int, loss: float) -> bool:
        return self._inside.report(trial, step, loss)

    def end(self, trial: int, state: TrialState, loss: float | None) -> None:
        self._inside.end(trial, state, loss)
        self._left -= 1
        if self._left == 0:
            self._done()


def _spec(terms: RunTerms, manifest: Digest) -> JobSpec:
    """Return the job that such a run would be part of; what it pays and to whom does not matter here."""
    return JobSpec(
        title="",
        image=ImageReference(
            manifest=manifest, total_bytes=ByteCount(0), references=(), on_graph=False
        ),
        contract=terms.contract,
        model_format=terms.model_format,
        resources=Resources(
            millicpus=terms.millicpus,
            memory_bytes=terms.memory_bytes,
            disk_bytes=terms.disk_bytes,
            gpus=0,
        ),
        trial_seconds=terms.seconds,
        evaluate_seconds=terms.seconds,
        model_bytes_max=terms.model_bytes_max,
        bounty=MicroCredits(0),
        expiry=Millis(0),
        tolerance=Tolerance(absolute=NanoLoss(0), relative=PartsPerMillion(0)),
        open_to_newcomers=False,
        hidden_root=(),
        private=False,
    )
