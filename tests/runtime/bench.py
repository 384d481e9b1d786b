"""What the tests of training and evaluation share: a job on a node, and short calls."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from lc_jupyter.runner.plain import encode
from lc_node.adapters.optuna_search import OptunaSearch
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
    NanoLoss,
    PartsPerMillion,
    PublicKey,
    Seconds,
)
from lc_node.ports.images import PreparedImage
from lc_node.ports.sandbox import Sandbox
from lc_node.runtime.evaluator import Evaluation, evaluate
from lc_node.runtime.predictor import Prediction, predict
from lc_node.runtime.trainer import Assignment, Company, TakenModel, Training, train
from lc_node.runtime.trial_runner import run_trials
from lc_node.worker.exchange import Leader
from tests.runtime.process_sandbox import ProcessSandbox, cell_image, program_image

JOB = JobId(Digest(bytes(range(32))))
NODE = PublicKey(b"\x07" * 32)
START = 1_700_000_000_000


class HandClock:
    """A clock that stands still until it is moved; sleepers wait for ever."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> Millis:
        return Millis(self.time)

    async def sleep_until(self, at: Millis) -> None:
        if at > self.time:
            await asyncio.Event().wait()


def make_spec(model_format: str) -> JobSpec:
    return JobSpec(
        title="a test",
        image=ImageReference(
            manifest=Digest(bytes(32)), total_bytes=ByteCount(1), references=(), on_graph=True
        ),
        contract="lc/1",
        model_format=ModelFormat(model_format),
        resources=Resources(
            millicpus=1000, memory_bytes=ByteCount(2**28), disk_bytes=ByteCount(2**20), gpus=0
        ),
        trial_seconds=Seconds(600),
        evaluate_seconds=Seconds(60),
        model_bytes_max=ByteCount(100_000),
        bounty=MicroCredits(1),
        expiry=Millis(START + 1_000_000),
        tolerance=Tolerance(absolute=NanoLoss(1000), relative=PartsPerMillion(1)),
        open_to_newcomers=False,
        hidden_root=(),
        private=False,
    )


@dataclass
class Bench:
    """One job on one node, and all that came of it."""

    folder: Path
    image: PreparedImage
    model_format: str
    sandbox: Sandbox = field(default_factory=ProcessSandbox)
    clock: HandClock = field(default_factory=HandClock)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    leader: Leader = field(default_factory=lambda: Leader(best=None, bar=None))
    is_paused: Callable[[], bool] = lambda: False
    models: list[TakenModel] = field(default_factory=list)
    logs: list[bytes] = field(default_factory=list)
    models_wanted: int = 1_000
    """After so many the training is asked to stop."""
    contract: Contract = Contract.LC_1

    @property
    def assignment(self) -> Assignment:
        return Assignment(
            job=JOB,
            spec=replace(make_spec(self.model_format), contract=self.contract.value),
            node=NODE,
            image=self.image,
            folder=self.folder,
        )

    async def keep(self, model: TakenModel) -> None:
        self.models.append(model)
        if len(self.models) >= self.models_wanted:
            self.stop.set()

    async def train(
        self, on_model: Callable[[TakenModel], Awaitable[None]] | None = None
    ) -> Training:
        company = Company(
            sandbox=self.sandbox,
            search=OptunaSearch(seed=1),
            clock=self.clock,
            stop=self.stop,
            leader=lambda: self.leader,
            is_paused=self.is_paused,
            on_model=on_model or self.keep,
            on_log=self.logs.append,
        )
        async with asyncio.timeout(60):
            run = train if self.contract is Contract.LC_1 else run_trials
            return await run(self.assignment, until=Millis(START + 600_000), company=company)

    async def evaluate(self, model: Path | bytes) -> Evaluation:
        if isinstance(model, bytes):
            path = self.folder / "given-model"
            path.write_bytes(model)
            model = path
        async with asyncio.timeout(60):
            return await evaluate(
                self.assignment, model, sandbox=self.sandbox, on_log=self.logs.append
            )

    async def predict(self, model: bytes, *data: object) -> Prediction:
        """Let a model predict from plain data, in a folder of its own."""
        folder = self.folder / "prediction"
        folder.mkdir()
        (folder / "given-model").write_bytes(model)  # a few bytes
        (folder / "given").write_bytes(encode(list(data)))  # the same
        assignment = dataclasses.replace(self.assignment, folder=folder)
        async with asyncio.timeout(60):
            return await predict(
                assignment, folder / "given-model", folder / "given", sandbox=self.sandbox
            )


def cell_bench(
    folder: Path, text: str, model_format: str = "raw", *, models_wanted: int = 1
) -> Bench:
    """Return a bench for the text of a notebook cell."""
    image = cell_image(folder / "image", text, model_format)
    return Bench(folder, image, model_format, models_wanted=models_wanted)


def program_bench(folder: Path, *lines: str) -> Bench:
    """Return a bench for the lines of a foreign program, which may call ``say``, ``hear`` and ``call``."""
    image = program_image(folder / "image", "\n".join((_PRELUDE, *lines)))
    return Bench(folder, image, "raw")


_PRELUDE = """
import json, os, sys
def say(**fields): print(json.dumps(fields), flush=True)
def hear(): return json.loads(sys.stdin.readline())
def call(**fields): say(**fields); return hear()
OUT = os.environ["LC_OUT"]
"""
