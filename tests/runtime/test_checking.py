"""The check: a job is run here once, and what is wrong with it is said by name."""

import asyncio
import itertools
from pathlib import Path

import pytest
from msgspec.structs import replace

from lc_node.api.schema_jobs import CheckProblem, CheckReport
from lc_node.chain.transactions import ImageReference, JobSpec
from lc_node.chain.types import ByteCount
from lc_node.ports.sandbox import SandboxFailed, Status
from lc_node.runtime.blob_exchange import BlobUnavailable
from lc_node.runtime.checking import Checker
from tests.chain.market import SPEC, Market, key
from tests.fakes import Exit, Program, ScriptedRun
from tests.runtime.work_bench import MarketClock, Worker


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    return Worker(tmp_path, Market(["sue"]), "sue")


def spec_of(worker: Worker) -> JobSpec:
    manifest = worker.graph.offer(b"image")
    image = ImageReference(
        manifest=manifest, total_bytes=ByteCount(1_000), references=(), on_graph=True
    )
    return replace(SPEC, image=image)


async def check(worker: Worker, contract: str = "lc/1") -> CheckReport:
    checker = Checker(worker.workshop, MarketClock(worker.market), key("sue"))
    async with asyncio.timeout(10):
        return await checker.check(replace(spec_of(worker), contract=contract), seconds=30)


def ending(**how: object) -> Program:
    """Return a job that ends at once in some way."""

    async def end(_run: ScriptedRun) -> None:
        raise Exit(**how)  # type: ignore[arg-type]  # whatever a test says

    return end


async def test_a_sound_job_is_reported_with_its_loss_and_limits(worker: Worker) -> None:
    report = await check(worker)

    assert (report.problem, report.loss, report.losses, report.model_bytes) == (
        CheckProblem.NONE,
        500_000_000,
        1,
        3,
    )
    assert report.evaluate_seconds == 10


async def test_the_training_ends_with_its_first_model(worker: Worker) -> None:
    trained = asyncio.Event()

    async def train_for_ever(run: ScriptedRun) -> None:
        await run.offer(1, b"0.5")
        trained.set()
        await asyncio.Event().wait()

    worker.sandbox.train = train_for_ever

    report = await check(worker)

    assert report.problem is CheckProblem.NONE
    assert worker.sandbox.running == []
    assert worker.sandbox.started == ["train", "evaluate", "evaluate"]


async def test_nothing_of_a_check_is_left(worker: Worker) -> None:
    await check(worker)

    assert list((worker.folder / "jobs").iterdir()) == []
    assert worker.pins() == set()


@pytest.mark.parametrize(
    ("how", "problem", "words"),
    [
        ({"code": 0}, CheckProblem.NO_REPORT, "no model within 30 s"),
        ({"status": Status.TIMED_OUT}, CheckProblem.NO_REPORT, "no model within 30 s"),
        ({"code": 1, "tail": "boom"}, CheckProblem.CRASHED, "Training failed: boom."),
        ({"status": Status.OUT_OF_MEMORY}, CheckProblem.OUT_OF_MEMORY, "out of memory"),
        ({"status": Status.OUTPUT_LIMIT}, CheckProblem.OVERSIZE, "more than a run may"),
        (
            {"code": 1, "tail": "ModuleNotFoundError: No module named 'sklearn.tree'\n"},
            CheckProblem.CRASHED,
            "add --with sklearn.",
        ),
    ],
    ids=["nothing", "too slow", "crash", "memory", "output", "module"],
)
async def test_a_training_without_a_model_is_explained(
    worker: Worker, how: dict[str, object], problem: CheckProblem, words: str
) -> None:
    worker.sandbox.train = ending(**how)

    report = await check(worker)

    assert report.problem is problem
    assert words in report.text
    assert report.log_tail == how.get("tail", "")


@pytest.mark.parametrize(
    ("how", "problem", "words"),
    [
        ({"code": 0}, CheckProblem.BAD_OUTPUT, "it printed nothing"),
        ({"status": Status.TIMED_OUT}, CheckProblem.NO_REPORT, "no trial ended with a loss"),
        ({"code": 1, "tail": "so\nboom\n"}, CheckProblem.CRASHED, "Training failed: boom."),
        ({"code": 1, "tail": ""}, CheckProblem.CRASHED, "Training failed: exit code 1."),
        (
            {"code": 1, "tail": "ModuleNotFoundError: No module named 'sklearn.tree'\n"},
            CheckProblem.CRASHED,
            "install it in the image",
        ),
    ],
    ids=["nothing", "too slow", "crash", "silent crash", "module"],
)
async def test_a_program_that_knows_nothing_of_us_and_leaves_no_model_is_explained(
    worker: Worker, how: dict[str, object], problem: CheckProblem, words: str
) -> None:
    worker.sandbox.train = ending(**how)

    report = await check(worker, "stdout/1")

    assert report.problem is problem
    assert words in report.text


async def test_a_training_that_speaks_nonsense_is_explained(worker: Worker) -> None:
    async def babble(run: ScriptedRun) -> None:
        await run.say(lc="report", trial="one")
        await asyncio.Event().wait()

    worker.sandbox.train = babble

    assert (await check(worker)).problem is CheckProblem.BAD_OUTPUT


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ({"code": 1}, CheckProblem.CRASHED),
        ({"code": 0}, CheckProblem.BAD_OUTPUT),
        ({"status": Status.TIMED_OUT}, CheckProblem.TIMED_OUT),
        ({"status": Status.OUTPUT_LIMIT}, CheckProblem.OVERSIZE),
    ],
)
async def test_an_evaluation_without_losses_is_explained(
    worker: Worker, how: dict[str, object], problem: CheckProblem
) -> None:
    worker.sandbox.evaluate = ending(**how)

    report = await check(worker)

    assert report.problem is problem
    assert "evaluating it failed" in report.text


async def test_two_evaluations_that_differ_are_explained(worker: Worker) -> None:
    values = itertools.count(1)

    async def guess(run: ScriptedRun) -> None:
        await run.say(lc="losses", values=[next(values)])

    worker.sandbox.evaluate = guess

    report = await check(worker)

    assert report.problem is CheckProblem.NOT_REPEATABLE
    assert "deterministic" in report.text


async def test_an_image_that_is_refused_is_explained(worker: Worker) -> None:
    worker.images.refusal = "a device file"

    report = await check(worker)

    assert report.problem is CheckProblem.IMAGE_REFUSED
    assert "a device file" in report.text


async def test_a_sandbox_that_fails_is_no_fault_of_the_job(worker: Worker) -> None:
    worker.sandbox.failures = 1

    with pytest.raises(SandboxFailed):
        await check(worker)


async def test_an_image_that_is_not_here_is_named(worker: Worker) -> None:
    worker.graph.has.clear()

    with pytest.raises(BlobUnavailable):
        await check(worker)
